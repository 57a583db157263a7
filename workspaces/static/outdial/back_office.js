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
