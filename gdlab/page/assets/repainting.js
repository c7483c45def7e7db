// Painting, once a frame at most. A page has a function dress(), which reads the colours of its theme,
// and a function paint(time).

let asked = false;

function schedule() {
  if (asked) return;
  asked = true;
  requestAnimationFrame((time) => {
    asked = false;
    paint(time);
  });
}

function dressAnew() {
  dress();
  schedule();
}

// From now on the page is painted as its theme or its size changes, and for a printer.
function keepPainted() {
  dressAnew();
  night.addEventListener("change", dressAnew);
  for (const kind of ["beforeprint", "afterprint"]) {
    window.addEventListener(kind, () => {
      printing = kind === "beforeprint";
      // The screen's colours still hold while a page is painted for the printer.
      document.documentElement.classList.toggle("printing", printing);
      dress();
      paint(performance.now());
    });
  }
  // A page that is hidden at first has no size until it is seen.
  new ResizeObserver(schedule).observe(document.querySelector("main"));
}
