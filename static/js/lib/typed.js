// What has been typed and not yet sent, in forms that keep no draft: leaving the page asks first.
const TYPED = "form[data-typed]";

/** True while a form has unsent input, or a dialog is open. */
export const isTyping = () => Boolean(document.querySelector(`${TYPED}, dialog.dialog[open]:not(.palette)`));

/** The form's content is on its way, or no longer wanted. */
export function forgetTyped(root = document) {
  for (const form of root.querySelectorAll(TYPED)) delete form.dataset.typed;
}

export function watchTyping() {
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form:not([data-kept])");
    if (form) form.dataset.typed = "true";
  });
  addEventListener("beforeunload", (event) => { if (document.querySelector(TYPED)) event.preventDefault(); });
}
