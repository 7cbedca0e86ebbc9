"use strict";
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.children[column].dataset.value ?? row.children[column].textContent.trim();
    const numeric = head.classList.contains("n");
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (numeric) {
        // what has no number comes last, whichever way
        if (x === "" || y === "") return (x === "") - (y === "");
        return up ? x - y : y - x;
      }
      return (up ? 1 : -1) * ((x > y) - (x < y));
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  });
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
// A window-filling view of a picture: wheel, buttons or + and - zoom, dragging and arrow keys move, 0 fits, Esc closes.
const viewer = document.querySelector("dialog.viewer");
if (viewer) {
  const image = new Image();
  let [zoom, x, y] = [1, 0, 0];
  const draw = () => { image.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`; };
  const zoomBy = (factor, left = innerWidth / 2, top = innerHeight / 2) => {
    const next = Math.min(32, Math.max(0.2, zoom * factor));
    [x, y] = [left - (left - x) * next / zoom, top - (top - y) * next / zoom];
    zoom = next;
    draw();
  };
  const fit = () => {
    zoom = Math.min(innerWidth / image.naturalWidth, innerHeight / image.naturalHeight);
    [x, y] = [(innerWidth - zoom * image.naturalWidth) / 2, (innerHeight - zoom * image.naturalHeight) / 2];
    draw();
  };
  for (const button of document.querySelectorAll("button.zoom")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const shown = button.closest("figure").querySelector("img");
      [image.src, image.alt] = [shown.src, shown.alt];
      viewer.prepend(image);
      viewer.showModal();
      image.decode().then(fit);
    });
  }
  viewer.addEventListener("close", () => image.remove());
  viewer.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, { passive: false });
  const fingers = new Map();
  viewer.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button")) return;
    fingers.set(event.pointerId, event);
    viewer.setPointerCapture(event.pointerId);
  });
  viewer.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    if (other) {
      const apart = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY) || 1;
      zoomBy(apart(event) / apart(last), other.clientX, other.clientY);
    } else {
      [x, y] = [x + event.clientX - last.clientX, y + event.clientY - last.clientY];
      draw();
    }
    fingers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) viewer.addEventListener(end, (event) => fingers.delete(event.pointerId));
  const acts = {
    "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), "0": fit,
    ArrowLeft: () => { x += 60; draw(); }, ArrowRight: () => { x -= 60; draw(); },
    ArrowUp: () => { y += 60; draw(); }, ArrowDown: () => { y -= 60; draw(); },
  };
  viewer.addEventListener("keydown", (event) => { if (acts[event.key]) { event.preventDefault(); acts[event.key](); } });
  for (const button of viewer.querySelectorAll("button")) {
    button.addEventListener("click", () => (acts[button.dataset.key] ?? (() => viewer.close()))());
  }
}
