// The button that ends the session.

import { ApiError, logout } from "./api";
import { el, setText } from "./dom";

export function logoutButton(): HTMLElement {
  const button = el("button", { type: "button", class: "quiet", "data-testid": "logout" }, "Log out");
  button.addEventListener("click", () => {
    button.disabled = true;
    logout()
      .then(() => location.assign("/login"))
      .catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 401) {
          location.assign("/login");
          return;
        }
        button.disabled = false;
        setText(button, "Not logged out. Try again");
      });
  });
  return button;
}
