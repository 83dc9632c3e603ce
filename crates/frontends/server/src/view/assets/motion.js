// Motion between two states: records move to where they lie now, and what is gone fades away.
//
// Whoever has asked for reduced motion sees the new state at once.

const DURATION = 650;
const EASING = "cubic-bezier(.3,.1,.2,1)";

const wantsMotion = () => !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Where each record and file is on the screen, by every name by which it may be found again. */
export function remember(board) {
  const places = new Map();
  const origin = board.getBoundingClientRect();
  for (const drawn of board.querySelectorAll("[data-ids]")) {
    const { left, top, width, height } = drawn.getBoundingClientRect();
    const box = { left: left - origin.left, top: top - origin.top, width, height, look: drawn.dataset.look };
    for (const name of drawn.dataset.ids.split(" ")) {
      if (!places.has(name)) {
        places.set(name, box);
      }
    }
  }
  return places;
}

/** Moves what is drawn from where it was. */
export function play(board, before) {
  if (!wantsMotion() || before.size === 0) {
    return;
  }
  const origin = board.getBoundingClientRect();
  const met = new Set();
  for (const drawn of board.querySelectorAll("[data-ids]")) {
    const names = drawn.dataset.ids.split(" ");
    const was = names.map((name) => before.get(name)).find(Boolean);
    names.forEach((name) => met.add(before.get(name)));
    const { left, top, width, height } = drawn.getBoundingClientRect();
    const now = { left: left - origin.left, top: top - origin.top };
    const timing = { duration: DURATION, easing: EASING, fill: "backwards" };
    if (!was) {
      drawn.animate([{ opacity: 0 }, { opacity: 1 }], timing);
      continue;
    }
    const [x, y] = [was.left - now.left, was.top - now.top];
    const scale = [width ? was.width / width : 1, height ? was.height / height : 1];
    if (Math.abs(x) + Math.abs(y) > 0.5 || Math.abs(scale[0] - 1) > 0.01) {
      const from = `translate(${x}px,${y}px) scale(${scale[0]},${scale[1]})`;
      drawn.animate([{ transform: from }, { transform: "none" }], timing);
    }
  }
  for (const box of new Set(before.values())) {
    if (!met.has(box) && box.look) {
      fade(board, box);
    }
  }
}

/** What is gone shrinks where it was. */
function fade(board, box) {
  const ghost = document.createElement("div");
  ghost.className = `ghost ${box.look}`;
  ghost.setAttribute("aria-hidden", "true");
  for (const side of ["left", "top", "width", "height"]) {
    ghost.style.setProperty(side, `${box[side]}px`);
  }
  board.append(ghost);
  const shrink = [
    { opacity: 0.9, transform: "none" },
    { opacity: 0, transform: "scale(.2,.6)" },
  ];
  ghost.animate(shrink, { duration: DURATION, easing: EASING }).finished.finally(() => ghost.remove());
}
