// A link to the form may fill it in (`#gpus=1`): keep that over the login.
"use strict";

for (const form of document.querySelectorAll("form")) {
  if (window.location.hash !== "") form.action = form.action + window.location.hash;
}
// Where users sign in elsewhere, a link leads there, and says where to go on afterwards.
for (const link of document.querySelectorAll(".service-login a[href]")) {
  const url = new URL(link.href);
  const next = url.searchParams.get("next");
  if (window.location.hash !== "" && next) {
    url.searchParams.set("next", next + window.location.hash);
    link.href = url.href;
  }
}
