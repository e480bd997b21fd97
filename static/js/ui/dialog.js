// Dialogs on the browser's own <dialog>: focus stays inside, Escape closes, the page behind is inert.
import { html, render, useId, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Button, Icon } from "./basic.js";
import { TextField } from "./fields.js";

/** `foot` is what stands at the bottom; `onClose` is called when it is dismissed. */
export function Dialog({ title, onClose, children, foot, wide }) {
  const box = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    const first = dialog.querySelector("[autofocus], .dialog-body input:not([type=hidden]), .dialog-body textarea, .dialog-body select, .dialog-foot button");
    first?.focus();
    return () => dialog.open && dialog.close();
  }, []);
  const outside = (event) => { if (event.target === box.current) onClose(); };
  return html`<dialog ref=${box} class=${`dialog${wide ? " dialog-wide" : ""}`} aria-labelledby=${id} onMouseDown=${outside}
    onCancel=${(event) => { event.preventDefault(); onClose(); }}>
    <div class="dialog-head"><h2 id=${id}>${title}</h2>
      <button type="button" class="icon-button tight" aria-label=${_("Close")} onClick=${onClose}><${Icon} name="x" /></button></div>
    <div class="dialog-body">${children}</div>
    ${foot && html`<div class="dialog-foot">${foot}</div>`}
  </dialog>`;
}

/** A form in a dialog. `onSubmit` may throw a Problem: it is handed to `children(problem)` for its fields. */
export function FormDialog({ title, submit, danger, onSubmit, onClose, children, wide, ready = true }) {
  const [problem, setProblem] = useState(null);
  const form = useId();
  const send = async (event) => {
    event?.preventDefault();
    if (!ready) return;
    setProblem(null);
    try { await onSubmit(); } catch (error) { setProblem(error); }
  };
  const loose = problem && !problem.errors?.some((entry) => document.querySelector(`dialog [name="${CSS.escape(entry.field)}"]`));
  return html`<${Dialog} title=${title} onClose=${onClose} wide=${wide} foot=${html`
      <button type="button" class="btn" onClick=${onClose}>${_("Cancel")}</button>
      <${Button} kind=${danger ? "btn-danger" : "btn-primary"} onClick=${send} disabled=${!ready}>${submit}<//>`}>
    <form id=${form} class="fields" onSubmit=${send}>
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
