// The login: its form, and its page.

import { ApiError, login } from "./api";
import { el, setText, topBar } from "./dom";
import { begun } from "./renewal";
import { nextPath } from "./session";

/** What a person can do about a refused login, by a code or by a password. */
export function advice(error: unknown, byCode = false): string {
  if (!(error instanceof ApiError)) return "Something went wrong in this page. Reload it, then try again.";
  const wait = error.retry_after_s === null ? "a minute" : `${Math.ceil(error.retry_after_s)} seconds`;
  if (error.status === 0) return "Railbird can't be reached. Check your connection, then try again.";
  if (error.status === 401 && byCode) return "No pass has this code. Compare it with the ticket.";
  if (error.status === 401) return "E-mail or password is not right. Check both, then try again.";
  if (error.status === 429) return `Too many tries. Wait ${wait}, then try again.`;
  if (error.status >= 500) return "Railbird has trouble at the moment. Try again shortly.";
  return error.message === "" ? "This was not taken. Check what you typed, then try again." : sentence(error.message);
}

/** What the edge says, as a sentence. */
export const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

export interface LoginForm {
  title: string;
  titleId: string;
  lead: string;
  /** What is said at first, as if something had gone wrong; empty: nothing. */
  message: string;
  done(): void;
}

/** The form, wherever it stands. */
export function loginForm({ title, titleId, lead, message: first, done }: LoginForm): HTMLFormElement {
  const email = el("input", {
    id: "email",
    name: "email",
    type: "email",
    autocomplete: "username",
    inputmode: "email",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
    maxlength: "254",
    "aria-describedby": "login-message",
    "data-testid": "email",
  });
  const password = el("input", {
    id: "password",
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: "1024",
    "aria-describedby": "login-message",
    "data-testid": "password",
  });
  const code = el("input", {
    id: "code",
    name: "code",
    type: "text",
    autocomplete: "off",
    autocapitalize: "characters",
    spellcheck: "false",
    maxlength: "64",
    "aria-describedby": "login-message",
    "data-testid": "code",
  });
  const submit = el("button", { type: "submit", class: "primary", "data-testid": "submit" }, "Log in");
  const message = el("p", { id: "login-message", class: "message", role: "alert", "data-testid": "message" }, first);
  const form = el(
    "form",
    { class: "login", novalidate: true, "aria-labelledby": titleId },
    el(titleId === "title" ? "h1" : "h2", { id: titleId }, title),
    el("p", { class: "lead" }, lead),
    el("label", { for: "email" }, "E-mail"),
    email,
    el("label", { for: "password" }, "Password"),
    password,
    el("label", { for: "code" }, "Or the code on your ticket"),
    code,
    message,
    submit,
  );
  // Where the edge sends no links, whoever sold the pass must help.
  if ("links" in document.body.dataset) form.append(el("a", { href: "/forgot", class: "forgot" }, "Forgotten your password?"));

  let busy = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (busy) return;
    const ticket = code.value.trim();
    for (const [field, words] of [
      [email, "Type the e-mail address of your pass."],
      [password, "Type your password."],
    ] as const) {
      if (ticket === "" && !field.checkValidity()) {
        setText(message, words);
        field.focus();
        return;
      }
    }
    busy = true;
    submit.disabled = true;
    setText(submit, "Logging in…");
    setText(message, "");
    login(ticket === "" ? { email: email.value.trim(), password: password.value } : { code: ticket })
      .then((expires_s) => {
        begun(expires_s);
        done();
      })
      .catch((error: unknown) => {
        busy = false;
        submit.disabled = false;
        setText(submit, "Log in");
        setText(message, advice(error, ticket !== ""));
        if (error instanceof ApiError && error.status === 401) {
          const field = ticket === "" ? password : code;
          field.focus();
          field.select();
        }
      });
  });
  return form;
}

export function loginPage(app: HTMLElement): void {
  topBar();
  document.title = "Log in · Railbird";
  const ended = new URLSearchParams(location.search).has("ended");
  const form = loginForm({
    title: "Log in",
    titleId: "title",
    lead: "With the e-mail address and the password of your pass.",
    message: ended ? "Your session has ended. Please log in again." : "",
    done: () => location.assign(nextPath(location.search)),
  });
  form.classList.add("card");
  app.replaceChildren(form);
  form.querySelector("input")?.focus();
}
