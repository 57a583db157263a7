"use strict";

// The server tells times in the zone of this browser (config.middleware.BackOfficeTimeZone).
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  if (zone) document.cookie = `outdial_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
})();

// <button data-copy="id of an input">
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  await navigator.clipboard.writeText(field.value);
  button.textContent = "Copied";
});

// A page that was left open is signed out some day: its live parts then lead to the sign-in.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (new URL(event.detail.xhr.responseURL).pathname.endsWith("/login/")) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});

// The search boxes in the place of long selects (select2) have no name: their field's label, then.
window.addEventListener("load", () => {
  for (const box of document.querySelectorAll(".select2-selection")) {
    const select = box.closest(".select2").previousElementSibling;
    const label = select && document.querySelector(`label[for="${select.id}"]`);
    if (!label) continue;
    label.id ||= `${select.id}-label`;
    box.setAttribute("aria-labelledby", `${label.id} ${box.getAttribute("aria-labelledby") || ""}`);
    box.firstElementChild.setAttribute("aria-labelledby", label.id);
  }
});

// An icon is a word in a font of pictures: beside text, nobody needs to hear it.
const hideIcons = () => {
  for (const icon of document.querySelectorAll(".material-symbols-outlined:not([aria-hidden])")) {
    const holder = icon.closest("a, button") || icon.parentElement;
    if (holder.textContent.trim() !== icon.textContent.trim()) icon.ariaHidden = "true";
  }
};
window.addEventListener("load", hideIcons);
document.addEventListener("htmx:afterSwap", hideIcons);
