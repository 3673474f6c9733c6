// Every page's script: which page it is stands on the body.

import { el, topBar } from "./dom";
import { homePage } from "./home";
import { loginPage } from "./login";
import { forgotPage, resetPage } from "./passwords";
import { watchPage } from "./watch";

/** Where a page goes: the shell's `main`, or one of ours where the shell has none. */
function place(): HTMLElement {
  const found = document.getElementById("app");
  if (found !== null) return found;
  const made = el("main", { id: "app" });
  document.body.append(made);
  return made;
}

const { page, channel, replay } = document.body.dataset;
if (page === "login") loginPage(place());
else if (page === "watch" && channel !== undefined && channel !== "") watchPage(place(), channel, replay ?? null);
else if (page === "home") homePage(place());
else if (page === "forgot") forgotPage(place());
else if (page === "reset") resetPage(place());
// Any other page came with its text.
else topBar();
