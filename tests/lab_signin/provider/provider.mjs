// A real OpenID provider for the lab: oidc-provider, which is certified, with a login form and people of its own.
// Settings: a JSON file, the only argument: {issuer, port, certificate, key, client, people: {login: {password, claims}}}.
import { generateKeyPairSync, randomBytes, timingSafeEqual, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const signing = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

const provider = new Provider(settings.issuer, {
  clients: [settings.client],
  jwks: { keys: [{ ...signing, use: "sig", alg: "RS256" }] },
  cookies: { keys: [randomBytes(32).toString("hex")] },
  claims: {
    openid: ["sub"],
    profile: ["preferred_username", "name"],
    email: ["email", "email_verified"],
  },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
  findAccount: (_, login) => {
    const person = settings.people[login];
    return person && { accountId: login, claims: () => ({ sub: login, ...person.claims }) };
  },
  // The service is the site's own: nobody is asked whether it may know them.
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});

const digest = (text) => createHash("sha256").update(text).digest();
const same = (one, other) => timingSafeEqual(digest(one), digest(other));

function form(problem) {
  return `<!doctype html><html lang="en"><title>Sign in to the lab's provider</title>
<h1>Sign in to the lab's provider</h1>${problem ? `<p role="alert">${problem}</p>` : ""}
<form method="post" autocomplete="off">
<label for="login">Login</label> <input id="login" name="login" required autofocus>
<label for="password">Passphrase</label> <input id="password" name="password" type="password" required>
<button id="enter">Enter</button></form></html>`;
}

async function body(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 4096) throw new Error("the form is too long");
  }
  return new URLSearchParams(text);
}

async function signIn(request, response) {
  await provider.interactionDetails(request, response);
  let problem = "";
  if (request.method === "POST") {
    const sent = await body(request);
    const login = sent.get("login") ?? "";
    const person = Object.hasOwn(settings.people, login) ? settings.people[login] : undefined;
    if (person && same(person.password, sent.get("password") ?? "")) {
      await provider.interactionFinished(request, response, { login: { accountId: login } });
      return;
    }
    problem = "Login or passphrase is wrong.";
  }
  response.writeHead(problem ? 401 : 200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" });
  response.end(form(problem));
}

const answer = provider.callback();
createServer({ cert: readFileSync(settings.certificate), key: readFileSync(settings.key) }, (request, response) => {
  if (!request.url.startsWith("/sign-in/")) {
    answer(request, response);
    return;
  }
  signIn(request, response).catch((error) => {
    console.error(error);
    response.writeHead(400, { "Content-Type": "text/plain" });
    response.end("This sign-in cannot go on.");
  });
}).listen(settings.port);
