// A link to the form may fill it in (`#gpus=1`): keep that over the login.
"use strict";

for (const form of document.querySelectorAll("form")) {
  if (window.location.hash !== "") form.action = form.action + window.location.hash;
}
