"use strict";

// The live part of a call's page is not replaced while somebody listens to a recording in it.
document.addEventListener("htmx:beforeRequest", (event) => {
  const players = event.target.querySelectorAll("audio");
  if ([...players].some((player) => !player.paused && !player.ended)) event.preventDefault();
});
