// Where a menu stands: in the browser's top layer, so that nothing cuts it off, beside its button, inside the window.
import { useEffect, useLayoutEffect } from "../lib/html.js";

const GAP = 6; // px to the button
const EDGE = 8; // px to the window's edge

function place(box, anchor, left) {
  const at = anchor.getBoundingClientRect();
  box.style.maxHeight = "";
  const { clientWidth: width } = document.documentElement;
  const height = box.offsetHeight;
  const below = innerHeight - at.bottom - GAP - EDGE;
  const above = at.top - GAP - EDGE;
  const up = height > below && above > below;
  const room = Math.max(0, up ? above : below);
  const start = left ? at.left : at.right - box.offsetWidth;
  box.style.left = `${Math.max(EDGE, Math.min(start, width - EDGE - box.offsetWidth))}px`;
  box.style.top = `${up ? at.top - GAP - Math.min(height, room) : at.bottom + GAP}px`;
  if (height > room) box.style.maxHeight = `${room}px`;
}

/** Show the element of `box` (with `popover="manual"`) beside that of `anchor` while `open`; `left`: edges at the left. */
export function useTopLayer(box, anchor, open, left = false) {
  useLayoutEffect(() => {
    if (!open || !box.current) return;
    if (!box.current.matches(":popover-open")) box.current.showPopover();
    place(box.current, anchor.current, left);
  });
  useEffect(() => {
    if (!open) return undefined;
    const again = () => box.current && place(box.current, anchor.current, left);
    addEventListener("scroll", again, { capture: true, passive: true });
    addEventListener("resize", again);
    return () => { removeEventListener("scroll", again, { capture: true }); removeEventListener("resize", again); };
  }, [open, left]);
}
