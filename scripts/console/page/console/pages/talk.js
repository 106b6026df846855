/** A talk with an assistant, in words. */
import { t } from "../words.js";

/** How a talk ended, and why. @param talk `outcome` and `reason` as in `agent_sessions`. */
export function endOf({ outcome, reason }) {
  const why = {
    agent_transferred: "",
    answers_cut: t("its answers broke off", "ses réponses ont été coupées"),
    bad_tool_calls: t("its model made no sense", "son modèle s’est égaré"),
    caller_asked_for_a_human: t("the caller asked for a person", "l’appelant a demandé quelqu’un"),
    caller_leaves_a_message: t("the caller wished it", "à la demande de l’appelant"),
    caller_said_goodbye: t("the caller said goodbye", "l’appelant a dit au revoir"),
    caller_silent: t("the caller said nothing", "l’appelant n’a rien dit"),
    caller_wants_a_call: t("the caller wished it", "à la demande de l’appelant"),
    concurrent_talks: t("too many talks at a time", "trop d’appels à la fois"),
    concurrent_talks_of_line: t(
      "too many talks at a time on the line",
      "trop d’appels sur la ligne",
    ),
    cost_limit: t("its models cost as much as the flow allows", "limite de coût du flux"),
    day_cost: t("the line’s models cost as much as a day allows", "limite de coût du jour"),
    day_minutes: t("the line’s minutes of the day are used up", "minutes du jour épuisées"),
    agent_failing: t("its last five talks failed", "ses cinq derniers appels ont échoué"),
    dropped: t("the connection was lost", "connexion perdue"),
    flow_not_read: t("the database was away", "base de données absente"),
    hung_up: "",
    no_answer_in_time: t("no model answered within 4 s", "aucun modèle en 4 s"),
    no_model: t("every model refused: see what failed", "chaque modèle a refusé"),
    planned_move: "",
    relay_64102: t("its socket did not open (Twilio 64102)", "connexion impossible (Twilio 64102)"),
    session_completed: "",
    time_limit: t("it took as long as the flow allows", "limite de durée du flux"),
  }[reason] ?? reason?.replace(/^relay_(\d+)$/, (_, code) => `Twilio ${code}`).replaceAll("_", " ");
  const [, department] = /^departments\.(.*)$/.exec(outcome ?? "") ?? [];
  const end = department
    ? t(`to ${department.replaceAll("_", " ")}`, `vers ${department.replaceAll("_", " ")}`)
    : {
      operator: t("to a person", "vers une personne"),
      message: t("to a message", "vers un message"),
      callback: t("to a call back", "vers un rappel"),
      done: t("served", "servi"),
      failed: t("it failed", "échec"),
      hung_up: t("the caller hung up", "l’appelant a raccroché"),
      resume: t("goes on elsewhere", "se poursuit ailleurs"),
    }[outcome] ?? outcome;
  return [end, why].filter(Boolean).join(": ");
}

const failureOf = ({ reason }) =>
  ({
    refused: t("refused the request: the key, the bill or its name", "refus : clé, facture ou nom"),
    busy: t("too busy, or down", "surchargé ou en panne"),
    unknown: t("did not answer, or broke off", "sans réponse, ou coupé"),
    stalled: t("fell silent", "s’est tu"),
  })[reason] ?? reason;

/** A turn of a talk with an assistant, in words. */
export function saidBy(turn) {
  const { kind, planned_text, heard_text, tool, tool_arguments, tool_result, model } = turn;
  const text = heard_text ?? planned_text;
  const quoted = text ? `“${text}”` : t("(words not kept)", "(paroles non conservées)");
  switch (kind) {
    case "caller":
      return { words: `${t("Caller", "Appelant")}: ${quoted}` };
    case "tool":
      return {
        words: {
          answer: t("Looked up an answer", "A cherché une réponse"),
          transfer: t("Puts the caller through", "Transfère l’appelant"),
          take_message: t("Takes a message", "Prend un message"),
          book_callback: t("Promises a call back", "Promet un rappel"),
          hours: t("Looked up the hours", "A cherché les horaires"),
          end_call: t("The caller said goodbye", "L’appelant a dit au revoir"),
        }[tool] ?? tool,
        more: [
          tool_arguments?.summary ?? tool_arguments?.question ?? tool_arguments?.department,
          tool_result?.ok === false &&
          `${t("it failed", "échec")}: ${tool_result.failure.replaceAll("_", " ")}`,
          tool_result?.entries?.length === 0 && t("no answer is written", "aucune réponse écrite"),
        ].filter(Boolean).join(", "),
      };
    case "failure":
      return {
        words: t("A model failed", "Un modèle a échoué"),
        more: `${model ?? ""}: ${failureOf(turn)}`,
      };
    case "left":
      return {
        words: t("The assistant ended the talk", "L’assistant a terminé"),
        more: endOf(turn),
      };
    default:
      return {
        words: `${t("Assistant", "Assistant")}: ${quoted}`,
        more: heard_text !== null && planned_text !== null && heard_text !== planned_text
          ? t("interrupted", "interrompu")
          : "",
      };
  }
}
