// Dialogs on the browser's own <dialog>: focus stays inside, Escape closes, the page behind is inert. What was typed
// is given up only when the person says so.
import { asProblem } from "../lib/api.js";
import { html, render, useId, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { forgetTyped } from "../lib/typed.js";
import { Button, Icon } from "./basic.js";
import { TextField } from "./fields.js";

const outside = (box, { clientX: x, clientY: y }) => {
  const { left, right, top, bottom } = box.getBoundingClientRect();
  return x < left || x > right || y < top || y > bottom;
};

/**
 * `foot` is what stands at the bottom; `onClose` is called when it is dismissed: by Escape, the cross or a click
 * beside it, after a question if something was typed. `firm`: only by its foot.
 */
export function Dialog({ title, onClose, children, foot, wide, firm }) {
  const box = useRef(null);
  const [asking, setAsking] = useState(false);
  const before = useRef(null); // what had the focus before the question
  const id = useId();
  const dismiss = () => {
    if (firm || asking) return;
    if (!box.current.querySelector("form[data-typed]")) { onClose(); return; }
    before.current = document.activeElement;
    setAsking(true);
  };
  const keep = () => { setAsking(false); before.current?.focus(); };
  const escape = useRef();
  escape.current = asking ? keep : dismiss;
  useLayoutEffect(() => { // before there is a focus: a quick Escape must not be lost
    const keys = (event) => {
      if (event.key !== "Escape" || box.current !== [...document.querySelectorAll("dialog[open]")].at(-1)) return;
      event.preventDefault();
      escape.current();
    };
    document.addEventListener("keydown", keys); // wherever the focus is: a click beside a field takes it away
    return () => document.removeEventListener("keydown", keys);
  }, []);
  useLayoutEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    const first = dialog.querySelector("[autofocus], .dialog-body input:not([type=hidden]), .dialog-body textarea, .dialog-body select, .dialog-foot button");
    first?.focus();
    return () => dialog.open && dialog.close();
  }, []);
  const press = (event) => { if (event.target === box.current && outside(box.current, event)) dismiss(); };
  return html`<dialog ref=${box} class=${`dialog${wide ? " dialog-wide" : ""}`} closedby="none" aria-labelledby=${id} onMouseDown=${press}
    onCancel=${(event) => { event.preventDefault(); dismiss(); }}>
    <div class="dialog-head"><h2 id=${id}>${title}</h2>
      ${!firm && html`<button type="button" class="icon-button tight" aria-label=${_("Close")} onClick=${dismiss}><${Icon} name="x" /></button>`}</div>
    <div class="dialog-body">${children}</div>
    ${asking ? html`<${Discard} onKeep=${keep} onDiscard=${onClose} />` : foot && html`<div class="dialog-foot">${foot}</div>`}
  </dialog>`;
}

function Discard({ onKeep, onDiscard }) {
  const keep = useRef(null);
  useLayoutEffect(() => keep.current.focus(), []);
  return html`<div class="dialog-foot" role="alert"><span class="grow">${_("Discard what you typed?")}</span>
    <button type="button" class="btn" ref=${keep} onClick=${onKeep}>${_("Keep editing")}</button>
    <button type="button" class="btn btn-danger" onClick=${onDiscard}>${_("Discard")}</button></div>`;
}

/**
 * A form in a dialog. `onSubmit` may throw a Problem: it is handed to `children(problem)` for its fields. Whatever else
 * it throws becomes one, and the form stays as it is. It is not called again before it has ended.
 */
export function FormDialog({ title, submit, danger, onSubmit, onClose, children, wide, ready = true }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const sending = useRef(false);
  const form = useRef(null);
  const send = async (event) => {
    event?.preventDefault();
    if (!ready || sending.current) return;
    const typed = form.current?.dataset.typed;
    sending.current = true;
    setBusy(true);
    setProblem(null);
    forgetTyped(form.current?.parentNode);
    try { await onSubmit(); } catch (error) {
      if (typed && form.current) form.current.dataset.typed = typed;
      setProblem(asProblem(error));
    } finally { sending.current = false; if (form.current) setBusy(false); }
  };
  useLayoutEffect(() => { if (problem) form.current?.querySelector("[aria-invalid=true]")?.focus(); }, [problem]);
  const loose = problem && !problem.errors?.some((entry) => document.querySelector(`dialog [name="${CSS.escape(entry.field)}"]`));
  return html`<${Dialog} title=${title} onClose=${onClose} wide=${wide} foot=${html`
      <button type="button" class="btn" onClick=${onClose}>${_("Cancel")}</button>
      <${Button} kind=${danger ? "btn-danger" : "btn-primary"} onClick=${send} busy=${busy} disabled=${!ready}>${submit}<//>`}>
    <form ref=${form} class="fields" onSubmit=${send}>
      ${loose && html`<p class="field-error" role="alert"><${Icon} name="alert-triangle" small />${problem.message}</p>`}
      ${children(problem)}
      <button type="submit" class="visually-hidden" tabIndex="-1" aria-hidden="true">${submit}</button>
    </form>
  <//>`;
}

/** Ask before something that cannot be undone; with `typed`, the name has to be typed. */
export function Confirm({ title, children, submit, danger = true, typed, onConfirm, onClose }) {
  const [text, setText] = useState("");
  return html`<${FormDialog} title=${title} submit=${submit} danger=${danger} onClose=${onClose} ready=${!typed || text === typed}
    onSubmit=${onConfirm}>${() => html`
      <div class="stack-small">${children}</div>
      ${typed && html`<${TextField} name="typed" label=${_("Type %(name)s to confirm", { name: typed })} value=${text} onInput=${setText}
        autocomplete="off" spellcheck="false" />`}`}<//>`;
}

/** Show `component(close)` above the page; for callers that are not components. */
export function openDialog(component) {
  const host = document.body.appendChild(document.createElement("div"));
  const close = () => { render(null, host); host.remove(); };
  render(component(close), host);
  return close;
}
