// A forgotten password: the page that asks for a link, and the page where such a link leads.

import { ApiError, forgot, reset } from "./api";
import { el, setText, topBar } from "./dom";
import { advice, sentence } from "./login";

/** The shortest password that the edge takes. */
const LENGTH_MIN = 8;

interface Form {
  title: string;
  lead: string;
  label: string;
  input: Record<string, string | boolean>;
  submit: string;
  /** What to say to what was typed before it is sent; empty: nothing. */
  check(field: HTMLInputElement): string;
  send(value: string): Promise<void>;
  done: string;
}

/** One field, and what is said when it was sent. */
function form(app: HTMLElement, { title, lead, label, input, submit: verb, check, send, done }: Form): void {
  topBar();
  document.title = `${title} · Railbird`;
  const field = el("input", { id: "field", required: true, "aria-describedby": "message", ...input });
  const submit = el("button", { type: "submit", class: "primary", "data-testid": "submit" }, verb);
  const message = el("p", { id: "message", class: "message", role: "alert", "data-testid": "message" });
  const whole = el(
    "form",
    { class: "login card", novalidate: true, "aria-labelledby": "title" },
    el("h1", { id: "title" }, title),
    el("p", { class: "lead" }, lead),
    el("label", { for: "field" }, label),
    field,
    message,
    submit,
  );
  whole.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    const wrong = check(field);
    setText(message, wrong);
    if (wrong !== "") {
      field.focus();
      return;
    }
    submit.disabled = true;
    send(field.value)
      .then(() => {
        const ready = el("p", { role: "status", "data-testid": "done" }, done);
        whole.replaceChildren(el("h1", { id: "title" }, title), ready, el("a", { href: "/login" }, "Log in"));
      })
      .catch((error: unknown) => {
        // What the edge says of a link is better than what a login says.
        const linked = error instanceof ApiError && error.status === 401 && error.message !== "";
        setText(message, linked ? sentence(error.message) : advice(error));
        if (linked) whole.append(el("a", { href: "/forgot", "data-testid": "again" }, "Ask for another link"));
        // What is no longer good does not become so by another password.
        submit.disabled = linked;
        if (!linked) field.focus();
      });
  });
  app.replaceChildren(whole);
  field.focus();
}

/** `/forgot` */
export function forgotPage(app: HTMLElement): void {
  form(app, {
    title: "Forgotten password",
    lead: "We send a link to the e-mail address of your pass.",
    label: "E-mail",
    input: { type: "email", name: "email", autocomplete: "username", autocapitalize: "none", maxlength: "254", "data-testid": "email" },
    submit: "Send the link",
    check: (field) => (field.checkValidity() ? "" : "Type the e-mail address of your pass."),
    send: (email) => forgot(email.trim()),
    // The same whether there is such a pass or not.
    done: "If there is a pass with this address, a link is on its way. It is good for 30 minutes.",
  });
}

/** `/reset#token` */
export function resetPage(app: HTMLElement): void {
  const token = location.hash.slice(1);
  // Neither the history nor a screenshot of the address bar shall have it.
  history.replaceState(null, "", "/reset");
  form(app, {
    title: "New password",
    lead: "All devices that are logged in with the old one must log in again.",
    label: "New password",
    input: { type: "password", name: "password", autocomplete: "new-password", minlength: `${LENGTH_MIN}`, maxlength: "1024", "data-testid": "password" },
    submit: "Set it",
    check: (field) => (field.value.length >= LENGTH_MIN ? "" : `Choose at least ${LENGTH_MIN} characters.`),
    send: (password) => reset(token, password),
    done: "Your password has changed.",
  });
}
