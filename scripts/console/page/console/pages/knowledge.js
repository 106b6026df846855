/** What assistants may answer: the entries, and the questions that none answered. */
import { db, may } from "../session.js";
import { ALL, ask, askSome, useLive } from "../data.js";
import { count, t } from "../words.js";
import { act, Card, Do, Form, html, Rows, Time, useMore, useState } from "../parts.js";

/** A question to which nothing was found: one click opens the answer's field, an answer makes it an entry. */
export function Question({ row, reload }) {
  const [open, setOpen] = useState(false);
  const dismiss = (dismissed) =>
    ask(db.from("agent_questions").update({ dismissed }).eq("id", row.id)).then(reload);
  return html`<li><div class="grow"><p>${row.question}</p><small>${
    count(row.asked, t("time asked", "fois demandé"), t("times asked", "fois demandé"))
  }, ${row.language}, <a href=${`#/calls/${row.call_sid}`}>${
    t("last call", "dernier appel")
  }</a> <${Time} at=${row.last_at} /></small>
    ${
    open &&
    html`<${Entry} row=${{ question: row.question, language: row.language }} done=${async () => {
      setOpen(false);
      await reload();
    }} />`
  }</div>
    ${
    may("admin") && !open && html`
      <button type="button" aria-label=${t(
        `Answer it: ${row.question}`,
        `Répondre : ${row.question}`,
      )} onClick=${() => setOpen(true)}>${t("Answer it", "Répondre")}</button>
      <${Do} aria-label=${t(`Dismiss: ${row.question}`, `Écarter : ${row.question}`)} act=${() =>
        act(
          () => dismiss(true),
          t("The question is dismissed.", "La question est écartée."),
          () => dismiss(false),
        )}>${t("Dismiss", "Écarter")}<//>
    `
  }</li>`;
}

/** Writes an entry, or changes one that has an id. */
function Entry({ row, done }) {
  const submit = async ({ question, answer, language }, form) => {
    const values = { question: question.trim(), answer: answer.trim(), language };
    const entries = db.from("knowledge_entries");
    const [kept] = await ask(
      row.id === undefined
        ? entries.insert(values).select("id")
        : entries.update({ ...values, updated_at: new Date().toISOString() }).eq("id", row.id)
          .select("id"),
    );
    form.reset();
    await act(
      done,
      t("Assistants answer it from now on.", "Les assistants y répondent désormais."),
      async () => {
        const undone = db.from("knowledge_entries");
        await ask(
          row.id === undefined ? undone.delete().eq("id", kept.id) : undone.update({
            question: row.question,
            answer: row.answer,
            language: row.language,
          }).eq("id", row.id),
        );
        await done();
      },
    );
  };
  return html`
    <${Form} class="wide" label=${t("Question and answer", "Question et réponse")} button=${t(
      "Keep",
      "Garder",
    )} submit=${submit}>
      <label
        class="wide">${t(
          "Question",
          "Question",
        )}<input class="wide" name="question" required maxlength="500" autocomplete="off" defaultValue=${row
          .question} /></label>
      <label
        class="wide">${t(
          "Answer, as it is spoken",
          "Réponse, telle que dite",
        )}<textarea name="answer" rows="2" required maxlength="2000" defaultValue=${row
          .answer}></textarea></label>
      <label>${t(
        "Language",
        "Langue",
      )}<input name="language" required pattern="[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}"
          size="8" defaultValue=${row.language ?? "en-US"} /></label>
      <//>
  `;
}

export default function Knowledge() {
  const [limit, more] = useMore(50);
  const [asked, moreAsked] = useMore(20);
  const [editing, setEditing] = useState();
  const questions = useLive(
    () =>
      askSome(
        db.from("agent_unanswered_questions").select(
          "id, question, language, asked, call_sid, last_at",
          ALL,
        )
          .order("asked", { ascending: false }).order("last_at", { ascending: false }).limit(asked),
      ),
    "questions",
    undefined,
    asked,
  );
  const entries = useLive(
    () =>
      askSome(
        db.from("knowledge_entries").select("id, question, answer, language", ALL).order("question")
          .limit(limit),
      ),
    "entries",
    undefined,
    limit,
  );
  const reload = async () => {
    setEditing();
    await Promise.all([questions.reload(), entries.reload()]);
  };
  const remove = ({ id, question, answer, language }) =>
    act(
      () => ask(db.from("knowledge_entries").delete().eq("id", id)).then(reload),
      t("The answer is removed.", "La réponse est retirée."),
      () => ask(db.from("knowledge_entries").insert({ question, answer, language })).then(reload),
    );
  return html`
    <h1>${t("Knowledge", "Connaissances")}</h1>
    <${Card} id="questions" title=${t(
      "Asked, and not answered",
      "Demandé, sans réponse",
    )} n=${questions.data?.total}>
      <${Rows} of=${questions} more=${moreAsked} empty=${t(
        "Nothing: what a caller asks and no entry answers appears here. Questions of callers who did not agree to be recorded go with their calls.",
        "Rien : ce qu’un appelant demande sans réponse apparaît ici. Les questions de ceux qui n’ont pas accepté l’enregistrement disparaissent avec leur appel.",
      )} item=${(row) => html`<${Question} key=${row.id} row=${row} reload=${reload} />`} />
    <//>
    ${may("admin") && html`
      <${Card} id="add" title=${t("New answer", "Nouvelle réponse")}>
        <${Entry} row=${{}} done=${reload} />
        <//>
    `}
    <${Card} id="entries" title=${t(
      "What assistants answer",
      "Ce que les assistants répondent",
    )} n=${entries.data?.total}>
      <${Rows} of=${entries} more=${more} empty=${t(
        "No answers yet. An assistant answers only what stands here, and says what it cannot.",
        "Aucune réponse. Un assistant ne répond que ce qui est écrit ici.",
      )} item=${(row) =>
        html`<li key=${row.id}>${
          editing === row.id
            ? html`
              <div class="grow">
                <${Entry} row=${row} done=${reload} />
              </div>
            `
            : html`<div class="grow"><strong>${row.question}</strong> <small>${row.language}</small><p>${row.answer}</p></div>
      ${
              may("admin") && html`
                <button type="button" aria-label=${t(
                  `Change: ${row.question}`,
                  `Modifier : ${row.question}`,
                )} onClick=${() => setEditing(row.id)}>${t("Change", "Modifier")}</button>
                <${Do} aria-label=${t(
                  `Remove: ${row.question}`,
                  `Retirer : ${row.question}`,
                )} act=${() => remove(row)}>${t("Remove", "Retirer")}<//>
              `
            }`
        }</li>`} />
    <//>
  `;
}
