"use strict";

// The variables of an agent as rows, in the place of their JSON, and the preview below the form.
// What is said in the preview is rendered by the server.
(() => {
  const field = document.getElementById("id_variables");
  const preview = document.getElementById("agent-preview");
  const changed = new Event("outdial:variables");
  let serial = 0;

  const schema = () => {
    const saved = document.getElementById("agent-saved");
    try {
      const found = field ? JSON.parse(field.value || "[]") : (JSON.parse(saved.textContent) || {}).variables;
      return Array.isArray(found) && found.every((one) => one && typeof one === "object" && !Array.isArray(one)) ? found : null;
    } catch {
      return null;
    }
  };

  // --- Rows ---

  const editor = () => {
    const variables = schema();
    if (!variables) return; // whatever it is, it can be mended as text
    const box = document.getElementById("agent-variables").content.firstElementChild.cloneNode(true);
    const rows = box.querySelector("ol");
    const told = box.querySelector("[role=status]");
    field.before(box);
    field.hidden = true;
    const help = field.parentElement.querySelector("[data-help], .leading-relaxed");
    if (help) help.hidden = true;

    const input = (row, column) => row.querySelector(`[data-column=${column}]`);
    const nameOf = (row) => input(row, "key").value.trim() || "without a name";

    const value = (row) => {
      const one = { ...row.unknown };
      one.key = input(row, "key").value;
      one.type = input(row, "type").value;
      one.required = input(row, "required").checked;
      if (input(row, "description").value) one.description = input(row, "description").value;
      if (one.type === "enum") {
        one.enum = input(row, "enum").value.split("\n").map((line) => line.trim()).filter(Boolean);
      }
      return one;
    };

    const number = () => {
      [...rows.children].forEach((row, at) => {
        row.querySelector("legend").textContent = `Variable ${at + 1}`;
        row.querySelector("[data-do=up]").disabled = at === 0;
        row.querySelector("[data-do=down]").disabled = at === rows.children.length - 1;
        row.querySelectorAll("[data-do]").forEach((button) => {
          button.setAttribute("aria-label", `${button.textContent.trim()}: variable ${nameOf(row)}`);
        });
        row.querySelector("[data-of=enum]").hidden = input(row, "type").value !== "enum";
      });
      box.querySelector("[data-none]").hidden = rows.children.length > 0;
    };

    const store = () => {
      number();
      field.value = JSON.stringify([...rows.children].map(value), null, 2);
      document.dispatchEvent(changed);
    };

    const add = (one) => {
      const row = document.getElementById("agent-variable").content.firstElementChild.cloneNode(true);
      const { key, type, required, description, enum: choices, ...unknown } = one;
      row.unknown = unknown;
      input(row, "key").value = key ?? "";
      const types = input(row, "type");
      if (type && ![...types.options].some((option) => option.value === type)) types.add(new Option(type, type));
      types.value = type ?? "string";
      input(row, "required").checked = Boolean(required);
      input(row, "description").value = description ?? "";
      input(row, "enum").value = Array.isArray(choices) ? choices.join("\n") : "";
      rows.append(row);
      return row;
    };

    const move = (row, button, step) => {
      const other = step < 0 ? row.previousElementSibling : row.nextElementSibling;
      if (!other) return;
      if (step < 0) other.before(row);
      else other.after(row);
      store();
      const stays = button.disabled ? row.querySelector(`[data-do=${step < 0 ? "down" : "up"}]`) : button;
      stays.focus();
      told.textContent = `Variable ${nameOf(row)} is now number ${[...rows.children].indexOf(row) + 1}.`;
    };

    box.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (!button) return;
      const row = button.closest("li");
      if (button.dataset.do === "add") {
        input(add({ required: true }), "key").focus();
        store();
      } else if (button.dataset.do === "remove") {
        const next = row.nextElementSibling || row.previousElementSibling;
        told.textContent = `Variable ${nameOf(row)} is removed.`;
        row.remove();
        store();
        (next ? input(next, "key") : box.querySelector("[data-do=add]")).focus();
      } else {
        move(row, button, button.dataset.do === "up" ? -1 : 1);
      }
    });
    box.addEventListener("input", store);
    box.addEventListener("change", store);
    // Enter would send the form from a row that is half done.
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
    });

    variables.forEach(add);
    number();
    tell(JSON.parse(field.dataset.errors || "[]"), rows);
  };

  const tell = (errors, rows) => {
    for (const error of errors) {
      const row = rows.children[error.row];
      if (!row) continue;
      const text = row.querySelector(".od-variable-error");
      text.id ||= `variable-error-${(serial += 1)}`;
      text.hidden = false;
      text.textContent += `${text.textContent ? " " : ""}${error.message}`;
      const wrong = row.querySelector(`[data-column=${error.column || "key"}]`);
      if (wrong) {
        wrong.setAttribute("aria-invalid", "true");
        wrong.setAttribute("aria-describedby", text.id);
      }
    }
    const first = rows.querySelector("[aria-invalid]");
    if (first) first.focus();
  };

  // --- Preview ---

  const samplesBox = document.getElementById("agent-samples");
  const spoken = document.getElementById("agent-spoken");
  const defaults = JSON.parse(document.getElementById("agent-sample-values").textContent);
  const chosen = new Map(); // by name and type, what was typed
  let asking = null;
  let timer = null;

  const sampleOf = (one) => defaults[one.type] ?? (one.enum && one.enum[0]) ?? one.key;
  const nameOfSample = (one) => `${one.type} ${one.key}`;

  const control = (one) => {
    let made;
    if (one.type === "boolean" || one.type === "enum") {
      made = document.createElement("select");
      const options = one.type === "boolean" ? ["true", "false"] : one.enum || [];
      for (const text of ["", ...options]) made.add(new Option(text || "not given", text));
    } else {
      made = document.createElement("input");
      made.type = { number: "number", date: "date" }[one.type] || "text";
      if (one.type === "number") made.step = "any";
      made.autocomplete = "off";
    }
    made.value = chosen.get(nameOfSample(one)) ?? sampleOf(one);
    made.addEventListener("input", () => {
      chosen.set(nameOfSample(one), made.value);
      soon();
    });
    return made;
  };

  const drawSamples = () => {
    const variables = (schema() || []).filter((one) => one.key);
    if (!variables.length) {
      const nothing = document.createElement("p");
      nothing.textContent = "The agent has no variables.";
      samplesBox.replaceChildren(nothing);
      return;
    }
    samplesBox.replaceChildren(...variables.map((one) => {
      const label = document.createElement("label");
      label.append(one.key, control(one));
      return label;
    }));
  };

  const body = () => {
    const sent = new FormData();
    const form = document.getElementById("agent_form");
    const saved = JSON.parse(document.getElementById("agent-saved").textContent) || {};
    if (field) {
      for (const [name, text] of new FormData(form)) if (!name.startsWith("_")) sent.append(name, text);
    } else {
      for (const [name, one] of Object.entries(saved)) {
        if (name === "records_calls") { if (one) sent.append(name, "on"); }
        else sent.append(name, name === "variables" ? JSON.stringify(one) : one);
      }
      sent.append("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
    }
    const samples = {};
    for (const one of schema() || []) {
      if (one.key) samples[String(one.key).trim()] = String(chosen.get(nameOfSample(one)) ?? sampleOf(one));
    }
    sent.append("samples", JSON.stringify(samples));
    sent.append("carriers", preview.dataset.carriers);
    return sent;
  };

  const ask = async () => {
    if (asking) asking.abort();
    asking = new AbortController();
    const open = [...spoken.querySelectorAll("details")].map((one) => one.open);
    try {
      const answer = await fetch(preview.dataset.url, { method: "POST", body: body(), signal: asking.signal });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      spoken.innerHTML = await answer.text();
      spoken.querySelectorAll("details").forEach((one, at) => { one.open = Boolean(open[at]); });
    } catch (error) {
      if (error.name === "AbortError") return;
      const sorry = document.createElement("p");
      sorry.textContent = "The preview could not be fetched. Reload the page if that stays.";
      spoken.replaceChildren(sorry);
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  };

  if (field) editor();
  drawSamples();
  document.addEventListener("outdial:variables", drawSamples);
  document.addEventListener("outdial:variables", soon);
  const form = document.getElementById("agent_form");
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  if (field) field.addEventListener("input", drawSamples);
  soon();
})();
