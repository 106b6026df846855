/** What is shown to a person who is not, or not wholly, signed in. */
import { arrived, db } from "./session.js";
import { Failure, onTheWay } from "./data.js";
import { lang, speak, t } from "./words.js";
import { Do, Form, html, useEffect, useState } from "./parts.js";

/** The words of Supabase Auth's refusals that a person meets; others in its own. */
function words(error) {
  return {
    invalid_credentials: t(
      "The e-mail address or the password is wrong.",
      "L’adresse ou le mot de passe est incorrect.",
    ),
    email_not_confirmed: t(
      "Confirm your address first, by the link that was mailed to you.",
      "Confirmez d’abord votre adresse par le lien reçu.",
    ),
    otp_expired: t(
      "This link was used or is too old. Ask for a new one.",
      "Ce lien a déjà servi ou a expiré. Demandez-en un nouveau.",
    ),
    otp_disabled: t(
      "Nobody has this address here. Ask an owner to invite you.",
      "Adresse inconnue ici. Demandez une invitation.",
    ),
    signup_disabled: t(
      "Nobody has this address here. Ask an owner to invite you.",
      "Adresse inconnue ici. Demandez une invitation.",
    ),
    weak_password: t("The password must be longer.", "Le mot de passe doit être plus long."),
    same_password: t("This is the password that you have.", "C’est votre mot de passe actuel."),
    mfa_verification_failed: t(
      "The code is wrong. Take the newest one.",
      "Code incorrect. Prenez le plus récent.",
    ),
    over_request_rate_limit: t(
      "Too many tries. Wait a minute.",
      "Trop d’essais. Attendez une minute.",
    ),
    over_email_send_rate_limit: t(
      "Too many mails. Wait some minutes.",
      "Trop de courriels. Attendez quelques minutes.",
    ),
  }[error.code ?? error] ??
    (typeof error === "string"
      ? t(
        "This link did not work. Ask for a new one.",
        "Ce lien n’a pas fonctionné. Demandez-en un nouveau.",
      )
      : onTheWay(error) ?? error.message);
}

async function must(request) {
  const { data, error } = await request;
  if (error) throw new Failure(words(error));
  return data;
}

/** Without the address's fragment, where a link may have put tokens. */
const here = () => location.href.split("#")[0];

function Password({ again, error, ended }) {
  const [sent, setSent] = useState();
  const mail = async (form, send) => {
    const email = form.elements.email;
    if (!email.reportValidity()) return;
    try {
      await must(send(email.value));
      setSent({ to: email.value });
    } catch (error) {
      setSent({ error: error.message });
    }
  };
  const link = (email) =>
    db.auth.signInWithOtp({ email, options: { shouldCreateUser: false, emailRedirectTo: here() } });
  const reset = (email) => db.auth.resetPasswordForEmail(email, { redirectTo: here() });
  const by = (send) => (event) => mail(event.currentTarget.form, send);
  return html`
    ${ended &&
      html`<p class="note" role="status">${
        t("Your session has ended. Sign in again.", "Votre session est terminée. Reconnectez-vous.")
      }</p>`}
    ${error && html`<p class="note bad" role="alert">${words(error)}</p>`}
    <${Form} id="sign-in" label=${t("Sign in", "Connexion")} button=${t(
      "Sign in",
      "Se connecter",
    )} submit=${async ({ email, password }) => {
      await must(db.auth.signInWithPassword({ email, password }));
      delete arrived.error_code;
      await again();
    }}>
      <label>${t(
        "E-mail",
        "Courriel",
      )}<input name="email" type="email" autocomplete="username" required autofocus /></label>
      <label>${t(
        "Password",
        "Mot de passe",
      )}<input name="password" type="password" autocomplete="current-password" required /></label>
    <//>
      <p class="row">
        <button type="button" class="quiet" form="sign-in" onClick=${by(link)}>${t(
          "Mail me a link instead",
          "M’envoyer un lien",
        )}</button>
        <button type="button" class="quiet" form="sign-in" onClick=${by(reset)}>${t(
          "Forgot the password",
          "Mot de passe oublié",
        )}</button>
      </p>
      ${sent &&
        (sent.to
          ? html`<p class="note" role="status">${
            t(
              `If ${sent.to} has an account, a link is on its way.`,
              `Si ${sent.to} a un compte, un lien est en route.`,
            )
          }</p>`
          : html`<p class="note bad" role="alert">${sent.error}</p>`)}
  `;
}

function NewPassword({ user, again }) {
  return html`
    <p>${t(
      `Set a password for ${user.email}.`,
      `Choisissez un mot de passe pour ${user.email}.`,
    )}</p>
    <${Form} label=${t("Set a password", "Mot de passe")} button=${t(
      "Save",
      "Enregistrer",
    )} submit=${async ({ password }) => {
      await must(db.auth.updateUser({ password }));
      delete arrived.type;
      await again();
    }}>
      <label>${t(
        "New password",
        "Nouveau mot de passe",
      )}<input name="password" type="password" autocomplete="new-password" minlength="8" required autofocus /></label>
      <//>
  `;
}

function Factor({ again }) {
  const [factor, set] = useState();
  useEffect(() => {
    db.auth.mfa.listFactors().then(({ data }) => set(data?.totp[0]));
  }, []);
  return html`
    <${Form} label=${t("Second factor", "Second facteur")} button=${t(
      "Go on",
      "Continuer",
    )} submit=${async ({ code }) => {
      await must(db.auth.mfa.challengeAndVerify({ factorId: factor.id, code }));
      await again();
    }}>
      <label>${t(
        "Code of your authenticator app",
        "Code de votre application",
      )}<input name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" required autofocus /></label>
      <//>
  `;
}

const SignOut = () =>
  html`<${Do} act=${() => db.auth.signOut({ scope: "local" })}>${
    t("Sign out", "Se déconnecter")
  }<//>`;

export function SignIn({ stage, user, message, again, error, ended }) {
  document.title = `${t("Sign in", "Connexion")} – TradeLine`;
  return html`<main class="sign-in">
    <h1><img src="favicon.svg" alt="" width="32" height="32" /> TradeLine</h1>
    ${stage === "out" && html`<${Password} again=${again} error=${error} ended=${ended} />`}
    ${stage === "password" && html`<${NewPassword} user=${user} again=${again} />`}
    ${
    stage === "factor" && html`
      <${Factor} again=${again} />
      <${SignOut} />
    `
  }
    ${
    stage === "stranger" && html`
      <p>${t(
        `${user.email} is no member of an organisation here. Ask an owner to invite this address.`,
        `${user.email} n’est membre d’aucune organisation. Demandez une invitation pour cette adresse.`,
      )}</p>
      <p class="row">
        <${Do} act=${again}>${t("Try again", "Réessayer")}<//><${SignOut} /></p>
    `
  }
    ${
    stage === "failed" && html`
      <p class="note bad" role="alert">${message}</p>
      <${Do} act=${again}>${t("Try again", "Réessayer")}<//>
    `
  }
    <p class="row"><button type="button" class="quiet" lang=${
    lang === "fr" ? "en" : "fr"
  } onClick=${() => {
    speak(lang === "fr" ? "en" : "fr");
    again();
  }}>${lang === "fr" ? "English" : "Français"}</button></p>
  </main>`;
}
