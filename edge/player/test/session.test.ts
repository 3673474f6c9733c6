import assert from "node:assert/strict";
import { test } from "node:test";
import { loginPath, nextPath } from "../src/session";

test("a login leads only to a channel's page of ours", () => {
  for (const [query, path] of [
    ["?next=/watch/table-1", "/watch/table-1"],
    ["?next=%2Fwatch%2Ftable-1&ended=1", "/watch/table-1"],
    [`?next=/watch/${"x".repeat(64)}`, `/watch/${"x".repeat(64)}`],
    ["", "/"],
    ["?next=", "/"],
    ["?next=/", "/"],
    ["?next=//evil.example/watch/x", "/"],
    ["?next=https://evil.example/watch/table-1", "/"],
    ["?next=/watch/../api/logout", "/"],
    ["?next=/watch/table-1/20261120t105200z", "/watch/table-1/20261120t105200z"],
    ["?next=/watch/a/b/c", "/"],
    ["?next=/watch/a//b", "/"],
    ["?next=/watch/a/", "/"],
    ["?next=/watch/a%3Fb", "/"],
    ["?next=/watch/a/r%3Ffrom=1%26to=20", "/watch/a/r?from=1&to=20"],
    ["?next=/watch/a/r%3Ffrom=1", "/"],
    ["?next=/watch/a/r%3Ffrom=1%26to=2%26x=y", "/"],
    ["?next=/watch/a%3Ffrom=1%26to=2", "/"],
    ["?next=/watch/%250a", "/"],
    ["?next=/watch/a%0a", "/"],
    ["?next=/watch/-a", "/"],
    ["?next=/watch/A", "/"],
    ["?next=/api/logout", "/"],
    ["?next=javascript:alert(1)", "/"],
    ["?next=\\\\evil.example", "/"],
    [`?next=/watch/${"x".repeat(65)}`, "/"],
  ] as const) {
    assert.equal(nextPath(query), path, query);
  }
});

test("the login page leads back", () => {
  assert.equal(loginPath("/watch/table-1", true), "/login?next=%2Fwatch%2Ftable-1&ended=1");
  assert.equal(loginPath("/watch/table-1", false), "/login?next=%2Fwatch%2Ftable-1");
  assert.equal(loginPath("/", false), "/login");
  const clip = "/watch/table-1/r-1?from=1&to=2";
  assert.equal(nextPath(loginPath(clip, false).slice("/login".length)), clip);
  assert.equal(nextPath(loginPath("/watch/table-1", true).slice("/login".length)), "/watch/table-1");
});
