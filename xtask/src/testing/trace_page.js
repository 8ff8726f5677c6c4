// Drives the page of `cargo xtask trace --html` in the test `trace/page`.
"use strict";
const lines = [];
function check(name, ok, seen) { lines.push((ok ? "ok " : "FAIL ") + name + ": " + seen); }
function change(id, value) {
  const e = document.getElementById(id);
  if (e.type === "checkbox") e.checked = value; else e.value = value;
  e.dispatchEvent(new Event(e.type === "search" ? "input" : "change"));
}
// What is drawn, by the texts that go to the canvas.
let drawn = [];
const fillText = pen.fillText.bind(pen);
pen.fillText = (words, x, y) => { drawn.push(words); fillText(words, x, y); };
function redrawn(what) { drawn = []; what(); return drawn; }
try {
  check("steps", steps.length >= 80000, steps.length);
  const first = redrawn(draw);
  check("only what is seen is drawn", first.length > 10 && first.length < 200, first.length);
  const box = document.getElementById("scroll");
  const end = redrawn(() => { box.scrollTop = box.scrollHeight; draw(); });
  check("scrolled to the end", end.length > 5 && end[0] !== first[0], box.scrollTop);
  box.scrollTop = 0;
  const before = rowHeight();
  document.getElementById("larger").click();
  check("zoomed", rowHeight() >= before, before + " to " + rowHeight());
  document.getElementById("smaller").click();
  change("core", "1");
  check("filtered by core", shown.length > 0 && shown.every(i => steps[i][CORE] === 1), shown.length);
  change("core", "");
  change("errors", true);
  check("errors only", shown.length > 0 && shown.length < steps.length && shown.every(i => steps[i][ERROR] >= 0), shown.length);
  change("errors", false);
  change("search", "ffa_version");
  document.getElementById("next").click();
  const detail = document.getElementById("detail").textContent;
  check("found and opened", detail.includes("FFA_VERSION") && detail.includes("0x84000063"), detail.slice(0, 60));
  check("its answer", detail.includes("⇒ 1.2"), selected);
  change("only", true);
  check("only what is searched for", shown.length > 0 && shown.length < steps.length, shown.length);
  change("only", false); change("search", "");
  box.scrollTop = 0; draw();
  const at = view.getBoundingClientRect();
  view.dispatchEvent(new MouseEvent("click", { clientX: at.left + 40, clientY: at.top + 2.5 * rowHeight(), bubbles: true }));
  check("a click opens the row", selected === shown[2], selected);
  const strip = document.getElementById("boots"), ink = strip.getContext("2d").getImageData(0, 0, strip.width, strip.height).data;
  check("the boots are drawn", ink.some(value => value !== 0), strip.width);
} catch (error) {
  check("no exception", false, error.stack);
}
document.body.innerHTML = "<pre id=\"result\"></pre>";
document.getElementById("result").textContent = lines.join("\n");
