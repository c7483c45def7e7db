// Once an exercise is answered its runs are in sight.

document.addEventListener("answered", () => {
  PAGE.sealed = false;
  for (const racer of racers) racer.visible = true;
  changed();
});
