/** One's own sign-in: password, second factor, signing out. */
import { db, me } from "../session.js";
import { Failure, useLive } from "../data.js";
import { t } from "../words.js";
import { ROLES } from "./members.js";
import { act, Card, Do, Form, html, useState } from "../parts.js";

async function must(request) {
  const { data, error } = await request;
  if (error) throw new Failure(error.message);
  return data;
}

export default function Account() {
  const factors = useLive(
    async () => (await must(db.auth.mfa.listFactors())).totp,
    "factors",
    60_000,
  );
  const [begun, setBegun] = useState();
  const begin = () =>
    act(async () => setBegun(await must(db.auth.mfa.enroll({ factorType: "totp" }))));
  return html`
    <h1>${t("My account", "Mon compte")}</h1>
    <div class="columns">
      <${Card} id="me" title=${me.name ?? me.user.email}>
        <dl class="facts">
          <dt>${t("E-mail", "Courriel")}</dt>
          <dd>${me.user.email}</dd>
          <dt>${t("Role", "Rôle")}</dt>
          <dd>${ROLES().find(([role]) => role === me.role)[1]}</dd>
          <dt>${t("Times in", "Heures de")}</dt>
          <dd>${me.zone}</dd>
        </dl>
        <p class="row">
          <${Do} act=${() => db.auth.signOut({ scope: "local" })}>${t(
            "Sign out",
            "Se déconnecter",
          )}<//>
            <${Do} act=${() => db.auth.signOut({ scope: "global" })}>${t(
              "Sign out everywhere",
              "Se déconnecter partout",
            )}<//></p>
        <//>
        <${Card} id="password" title=${t("Password", "Mot de passe")}>
          <${Form} label=${t("Change the password", "Changer le mot de passe")} button=${t(
            "Change the password",
            "Changer le mot de passe",
          )} submit=${async ({ password }, form) => {
            await must(db.auth.updateUser({ password }));
            form.reset();
            await act(async () => {}, t("The password is changed.", "Mot de passe changé."));
          }}><label>${t(
            "New password",
            "Nouveau mot de passe",
          )}<input name="password" type="password" autocomplete="new-password" minlength="8" required /></label><//>
        <//>
        <${Card} id="factor" title=${t("Second factor", "Second facteur")}>
          ${factors.data?.length > 0
            ? html`
              <p>${t(
                "Your authenticator app is asked for at each sign-in.",
                "Votre application est demandée à chaque connexion.",
              )}</p>
              <${Do} act=${() =>
                act(async () => {
                  for (const { id } of factors.data) {
                    await must(db.auth.mfa.unenroll({ factorId: id }));
                  }
                  await factors.reload();
                }, t("The second factor is removed.", "Second facteur retiré."))}>${t(
                  "Remove it",
                  "Le retirer",
                )}<//>
            `
            : begun
            ? html`
              <p>${t(
                "Add this to your authenticator app, then enter its code.",
                "Ajoutez ceci à votre application, puis entrez son code.",
              )}</p>
                      ${begun.totp.qr_code.length > 40 &&
                        html`<img src=${begun.totp.qr_code} width="180" height="180" alt=${
                          t("The picture to scan", "L’image à numériser")
                        } />`}
                      <p><a href=${begun.totp.uri}>${t(
                        "Open in the app",
                        "Ouvrir dans l’application",
                      )}</a></p>
                      <p class="small">${t(
                        "Or type this key:",
                        "Ou tapez cette clé :",
                      )} <code>${begun.totp.secret}</code></p>
                      <${Form} label=${t("Second factor", "Second facteur")} button=${t(
                        "Switch on",
                        "Activer",
                      )}
                submit=${async ({ code }) => {
                  await must(db.auth.mfa.challengeAndVerify({ factorId: begun.id, code }));
                  setBegun(undefined);
                  await factors.reload();
                }}><label>${t(
                  "Code",
                  "Code",
                )}<input name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" required /></label><//>
            `
            : html`
              <p>${t(
                "An app on your telephone that is asked for beside the password.",
                "Une application demandée en plus du mot de passe.",
              )}</p>
              <${Do} act=${begin}>${t("Set up", "Configurer")}<//>
            `}
        <//>
      </div>
  `;
}
