// What an agent says and understands outside of any model, by language. Pure.

import { isMadeOf, normaliseSpeech, saysPhrase } from "../calls/consent.ts";

/** Fixed words, and phrases that callers say, as `normaliseSpeech` leaves them. */
export interface AgentWords {
  readonly says: {
    /** The disclosure, at first contact. `business` is a name, or nothing. */
    readonly disclosure: (business: string) => string;
    readonly moment: string;
    /** Before a way out that a failure makes necessary. It promises nothing. */
    readonly sorry: string;
    readonly stillThere: string;
    readonly askAgain: string;
    readonly noSpeech: string;
    readonly resumed: string;
    readonly emergency: string;
    readonly isAssistant: string;
    readonly offerPerson: string;
    readonly noFigure: string;
    readonly noNumbers: string;
    readonly limit: string;
    readonly departments: (names: readonly string[]) => string;
    readonly readBack: (digits: string) => string;
    readonly keyAgain: string;
    readonly cannotAnswer: (can: readonly ("person" | "message" | "callback")[]) => string;
    readonly open: string;
    readonly closed: string;
    readonly hoursUnknown: string;
    readonly more: string;
  };
  /** Ask for a person. */
  readonly person: readonly string[];
  /** Ask for one where little else is said: within a sentence they mean other things. */
  readonly personAlone: readonly string[];
  /** Ask whether this is one. */
  readonly identity: readonly string[];
  readonly emergency: readonly string[];
  readonly yes: readonly string[];
  readonly no: readonly string[];
  /** For the embedded agent. */
  readonly wants: Readonly<
    Record<"message" | "callback" | "hours" | "end", readonly string[]>
  >;
  /** Claim in a model's words that something is being done or is promised, which only a flow may say. */
  readonly claims: RegExp;
  /** Make a number beside them an amount of money. */
  readonly money: RegExp;
  /** Numbers as words, so that an amount that is spelt out is seen as one. */
  readonly numerals: RegExp;
}

const spelt = (digits: string) => [...digits].join(" ");
const listed = (names: readonly string[], or: string) =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${or} ${names.at(-1)}`;

const ENGLISH: AgentWords = {
  says: {
    disclosure: (business) =>
      `${
        business === "" ? "Hello" : `Hello, this is ${business}`
      }. You are speaking with an automated assistant. For a person, press 0 at any time. How can I help you?`,
    moment: "One moment, please.",
    sorry: "We are sorry, something went wrong on our side.",
    stillThere: "Are you still there?",
    askAgain: "I did not hear anything. What can I do for you?",
    noSpeech: "I still cannot hear you.",
    resumed: "Sorry, the line was interrupted. Please go on, or say that again.",
    emergency:
      "If this is an emergency, please hang up now and dial 911. I cannot call emergency services for you.",
    isAssistant: "I am an automated assistant, not a person. For a person, press 0.",
    offerPerson: "If you would like to speak with a person, press 0, or say: a person.",
    noFigure: "I do not have that figure. A person can tell you: press 0.",
    noNumbers: "For your safety, please do not give card or identity numbers here.",
    limit: "I have to end our talk here.",
    departments: (names) => `Whom would you like to speak with: ${listed(names, "or")}?`,
    readBack: (digits) =>
      `You entered ${spelt(digits)}. If that is right, press 1. If not, press 2.`,
    keyAgain: "Please enter it again.",
    cannotAnswer: (can) =>
      `I could not find an answer to that.${
        can.length === 0 ? "" : ` I can ${
          listed(
            can.map((each) =>
              ({
                person: "find you a person if you press 0",
                message: "take a message if you say: message",
                callback: "arrange a call back if you say: call me back",
              })[each]
            ),
            "or",
          )
        }.`
      }`,
    open: "We are open now.",
    closed: "We are closed now.",
    hoursUnknown: "I cannot see our opening hours right now.",
    more: "Is there anything else?",
  },
  person: [
    ...["a person", "real person", "a human", "human being", "an operator", "operator"],
    ...["representative", "an agent", "live agent", "real agent", "customer service"],
    ...["somebody real", "someone real", "talk to someone", "talk to somebody"],
    ...["speak to someone", "speak to somebody", "speak with someone", "speak with somebody"],
    ...["talk with someone", "talk with somebody", "get me someone", "receptionist"],
    ...["speak to a manager", "speak to the manager", "not a robot", "not a machine"],
    ...["real human", "live human", "actual human", "live person", "actual person", "real people"],
    ...["talk to a manager", "talk to the manager", "talk to a human", "customer support"],
  ],
  personAlone: ["human", "person", "agent", "somebody", "someone", "manager", "people", "staff"],
  identity: [
    ...["are you a robot", "are you a bot", "are you a machine", "are you a person"],
    ...["are you a real person", "are you human", "are you a human", "are you real"],
    ...["are you an ai", "am i talking to a robot", "am i talking to a machine"],
    ...["am i speaking to a robot", "am i talking to a real person", "is this a robot"],
    ...["is this a real person", "is this a recording", "is this an ai", "is this a machine"],
    ...["am i talking to a person", "am i speaking with a person", "is this a person"],
  ],
  emergency: [
    ...["emergency", "911", "9 1 1", "nine one one", "nine eleven", "ambulance"],
    ...[
      "heart attack",
      "not breathing",
      "can't breathe",
      "suicide",
      "kill myself",
      "house is on fire",
      ...["is a fire", "'s a fire", "there's a fire", "is burning", "cannot breathe"],
      ...["can not breathe", "chest pain", "chest pains", "unconscious", "overdose"],
      ...["call the police", "call the fire department", "9 11"],
    ],
  ],
  yes: [
    "yes",
    "yeah",
    "yep",
    "correct",
    "right",
    "that's right",
    "that is right",
    "sure",
    "ok",
    "okay",
  ],
  no: ["no", "nope", "wrong", "not right", "incorrect", "that's wrong"],
  wants: {
    message: ["message", "voicemail"],
    callback: ["call me back", "call back", "callback", "ring me back"],
    hours: ["hours", "open", "closed", "close", "closing", "opening"],
    end: [
      "goodbye",
      "bye",
      "bye bye",
      "that's all",
      "that is all",
      "nothing else",
      "no thank you",
      "no thanks",
    ],
  },
  claims:
    /\b(transferr?(ing|ed)?|(put|putting|pass(ing|ed)?|patch(ing|ed)?|hand(ing|ed)?) (you|your call|the call) (through|over|on|along)|connect(ing|ed)? (you|your call)|(get|getting|bring|bringing|fetch(ing)?) (you )?(someone|somebody|a person|an agent|a colleague|a human)|(will|'ll|going to|shall) (call|ring|phone|text|e-?mail|contact|get back to|reach out to) you|call(ing)? you back|(i|i've|i have|we've|we have|has been|have been|is|are)( now| just| already)? (booked|scheduled|arranged|reserved|cancell?ed|confirmed|recorded your message|taken your message|saved|noted down|sent|e-?mailed|forwarded|passed (it|this|that|your)|refunded|ordered)|on (the|their) way (to you|now)|(i|we)( can| will|'ll)? (promise|guarantee)|(will|'ll|going to|shall) (be )?(refund|reimburs|compensat|waiv)(ed?|ing)?|(someone|somebody|a (person|colleague|technician|manager|representative)) (will|is going to|is coming))\b/iu,
  money: /[$€£¥]|\b(dollars?|bucks?|cents?|euros?|pounds?|percent)\b|%/iu,
  numerals:
    /\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|half|free)\b/iu,
};

const FRENCH: AgentWords = {
  says: {
    disclosure: (business) =>
      `${
        business === "" ? "Bonjour" : `Bonjour, ici ${business}`
      }. Vous parlez à un assistant automatisé. Pour parler à une personne, appuyez sur le 0 à tout moment. Comment puis-je vous aider?`,
    moment: "Un instant, s'il vous plaît.",
    sorry: "Nous sommes désolés, un problème est survenu de notre côté.",
    stillThere: "Êtes-vous toujours là?",
    askAgain: "Je n'ai rien entendu. Que puis-je faire pour vous?",
    noSpeech: "Je ne vous entends toujours pas.",
    resumed: "Désolé, la ligne a été interrompue. Poursuivez, ou répétez, s'il vous plaît.",
    emergency:
      "S'il s'agit d'une urgence, raccrochez maintenant et composez le 911. Je ne peux pas appeler les secours pour vous.",
    isAssistant:
      "Je suis un assistant automatisé, pas une personne. Pour parler à une personne, appuyez sur le 0.",
    offerPerson: "Si vous voulez parler à une personne, appuyez sur le 0, ou dites : une personne.",
    noFigure: "Je n'ai pas ce chiffre. Une personne peut vous le donner : appuyez sur le 0.",
    noNumbers:
      "Pour votre sécurité, ne donnez pas de numéro de carte ou d'identité ici, s'il vous plaît.",
    limit: "Je dois mettre fin à notre conversation.",
    departments: (names) => `À qui voulez-vous parler : ${listed(names, "ou")}?`,
    readBack: (digits) =>
      `Vous avez entré ${
        spelt(digits)
      }. Si c'est exact, appuyez sur le 1. Sinon, appuyez sur le 2.`,
    keyAgain: "Entrez-le de nouveau, s'il vous plaît.",
    cannotAnswer: (can) =>
      `Je n'ai pas trouvé de réponse.${
        can.length === 0 ? "" : ` Je peux ${
          listed(
            can.map((each) =>
              ({
                person: "vous trouver une personne si vous appuyez sur le 0",
                message: "prendre un message si vous dites : message",
                callback: "organiser un rappel si vous dites : rappelez-moi",
              })[each]
            ),
            "ou",
          )
        }.`
      }`,
    open: "Nous sommes ouverts en ce moment.",
    closed: "Nous sommes fermés en ce moment.",
    hoursUnknown: "Je ne peux pas voir nos heures d'ouverture pour l'instant.",
    more: "Puis-je faire autre chose pour vous?",
  },
  person: [
    ...[
      "une personne",
      "un humain",
      "une vraie personne",
      "un agent",
      "une agente",
      "un conseiller",
    ],
    ...[
      "une conseillère",
      "parler à quelqu'un",
      "parler avec quelqu'un",
      "un opérateur",
      "une opératrice",
    ],
    ...["un être humain", "un représentant", "la réception", "pas un robot", "pas une machine"],
    ...["un vrai humain", "un préposé", "une préposée", "une représentante", "un vrai agent"],
    ...["quelqu'un de réel", "une téléphoniste", "service à la clientèle"],
  ],
  personAlone: ["humain", "personne", "agent", "agente", "quelqu'un", "préposé", "préposée"],
  identity: [
    ...["êtes vous un robot", "es tu un robot", "vous êtes un robot", "êtes vous une personne"],
    ...["êtes vous une vraie personne", "êtes vous humain", "vous êtes une machine"],
    ...["est ce un robot", "c'est un robot", "êtes vous une machine", "êtes vous un humain"],
    ...["est ce que vous êtes un robot", "est ce que je parle à un robot", "je parle à un robot"],
    ...["est ce que vous êtes une personne", "est ce que je parle à une personne"],
  ],
  emergency: [
    ...["urgence", "911", "9 1 1", "neuf un un", "ambulance", "crise cardiaque"],
    ...["ne respire pas", "ne respire plus", "suicide", "me tuer", "au feu", "au secours"],
    ...["y a le feu", "y a un feu", "peux pas respirer", "peut pas respirer", "inconscient"],
    ...["inconsciente", "surdose", "incendie", "appelez la police", "appelez les pompiers"],
  ],
  yes: ["oui", "exact", "c'est exact", "c'est ça", "correct", "d'accord", "ok"],
  no: ["non", "pas exact", "faux", "incorrect", "ce n'est pas ça"],
  wants: {
    message: ["message", "boîte vocale"],
    callback: ["rappelez moi", "me rappeler", "rappel", "me rappelle"],
    hours: [
      "heures",
      "ouvert",
      "ouverts",
      "ouverte",
      "fermé",
      "fermés",
      "fermez",
      "ouvrez",
      "horaire",
      "horaires",
    ],
    end: ["au revoir", "c'est tout", "non merci", "rien d'autre", "bonne journée"],
  },
  claims:
    /(transf[eéè]r|(vous|votre appel).{0,12}(passe|mets en (communication|relation|ligne)|connecte)|vais (chercher|trouver) (quelqu'un|une personne)|(vais|allons|va|on) vous (rappel|contact|envo|écri)|vous rappeller|vous rappeler|rappellerons|(j'ai|nous avons|a été|est|sont)( bien| déjà)? (réserv|planifi|organis|annul|confirm|enregistr[ée]+ votre|pris (votre|un) message|not[ée]+|envoy|transmis|rembours|command)|(promets|promettons|garantis|garantissons)|rembourser(ai|a|ons|ont)|(quelqu'un|un technicien|une technicienne|un collègue) (va|viendra|sera))/iu,
  money: /[$€£¥]|(^|\P{L})(dollars?|cents?|euros?|pour cent)(?!\p{L})|%/iu,
  numerals:
    /(^|\P{L})(un|une|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingts?|trente|quarante|cinquante|soixante|cents?|mille|million|demi|gratuit)(?!\p{L})/iu,
};

const SPANISH: AgentWords = {
  says: {
    disclosure: (business) =>
      `${
        business === "" ? "Hola" : `Hola, habla ${business}`
      }. Usted habla con un asistente automático. Para hablar con una persona, oprima 0 en cualquier momento. ¿En qué puedo ayudarle?`,
    moment: "Un momento, por favor.",
    sorry: "Lo sentimos, algo falló de nuestro lado.",
    stillThere: "¿Sigue ahí?",
    askAgain: "No escuché nada. ¿En qué puedo ayudarle?",
    noSpeech: "Todavía no le escucho.",
    resumed: "Disculpe, la línea se interrumpió. Continúe, o repítalo, por favor.",
    emergency:
      "Si es una emergencia, cuelgue ahora y marque el 911. No puedo llamar a los servicios de emergencia por usted.",
    isAssistant:
      "Soy un asistente automático, no una persona. Para hablar con una persona, oprima 0.",
    offerPerson: "Si quiere hablar con una persona, oprima 0, o diga: una persona.",
    noFigure: "No tengo esa cifra. Una persona se la puede dar: oprima 0.",
    noNumbers: "Por su seguridad, no dé aquí números de tarjeta ni de identidad, por favor.",
    limit: "Tengo que terminar nuestra conversación.",
    departments: (names) => `¿Con quién quiere hablar: ${listed(names, "o")}?`,
    readBack: (digits) =>
      `Usted marcó ${spelt(digits)}. Si es correcto, oprima 1. Si no, oprima 2.`,
    keyAgain: "Márquelo otra vez, por favor.",
    cannotAnswer: (can) =>
      `No encontré una respuesta.${
        can.length === 0 ? "" : ` Puedo ${
          listed(
            can.map((each) =>
              ({
                person: "buscar a una persona si oprime 0",
                message: "tomar un mensaje si dice: mensaje",
                callback: "organizar una llamada si dice: llámeme",
              })[each]
            ),
            "o",
          )
        }.`
      }`,
    open: "Estamos abiertos ahora.",
    closed: "Estamos cerrados ahora.",
    hoursUnknown: "No puedo ver nuestro horario en este momento.",
    more: "¿Algo más?",
  },
  person: [
    ...["una persona", "un humano", "persona real", "un agente", "una agente", "un operador"],
    ...["una operadora", "hablar con alguien", "un representante", "una representante"],
    ...["ser humano", "recepción", "no un robot", "no una máquina"],
    ...["un asesor", "una asesora", "con alguien", "persona de verdad", "humano real"],
  ],
  personAlone: ["humano", "persona", "agente", "operador", "operadora", "alguien", "asesor"],
  identity: [
    ...["es usted un robot", "eres un robot", "usted es un robot", "es un robot"],
    ...["es usted una persona", "eres una persona", "es usted humano", "eres humano"],
    ...[
      "es una máquina",
      "hablo con un robot",
      "estoy hablando con un robot",
      "hablo con una persona",
    ],
  ],
  emergency: [
    ...["emergencia", "911", "9 1 1", "nueve uno uno", "ambulancia", "ataque al corazón"],
    ...["infarto", "no respira", "suicidio", "matarme", "incendio", "hay fuego", "auxilio"],
    ...["no puedo respirar", "no puede respirar", "inconsciente", "sobredosis"],
    ...["llame a la policía", "llamen a la policía", "llame a los bomberos"],
  ],
  yes: ["sí", "si", "correcto", "exacto", "así es", "claro", "de acuerdo"],
  no: ["no", "incorrecto", "equivocado"],
  wants: {
    message: ["mensaje", "buzón"],
    callback: ["llámeme", "llamarme", "me llamen", "devolver la llamada", "devuélvame la llamada"],
    hours: [
      "horario",
      "horarios",
      "abierto",
      "abiertos",
      "cerrado",
      "cerrados",
      "abren",
      "cierran",
    ],
    end: ["adiós", "hasta luego", "es todo", "nada más", "no gracias"],
  },
  claims:
    /(transfier|transfer[ií]|(le|lo|la|su llamada).{0,12}(paso con|comunico|conecto|comunicar|conectar)|(voy a|vamos a) (buscar|traer) a (alguien|una persona)|(le|lo|la) (llamar|contactar|enviar|escribir)|(he|hemos|ha sido|está|han sido)( ya)? (reservad|programad|organizad|cancelad|confirmad|grabad[oa] su|tomad[oa] su|anotad|enviad|reembolsad|pedid)|prometo|prometemos|garantizo|garantizamos|reembolsar(é|á|emos)|(alguien|un técnico|un colega) (va a|vendrá|estará))/iu,
  money: /[$€£¥]|(^|\P{L})(d[oó]lares?|centavos?|euros?|por ciento|pesos?)(?!\p{L})|%/iu,
  numerals:
    /(^|\P{L})(uno?|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|veinte|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|cien|ciento|mil|mill[oó]n|medio|gratis)(?!\p{L})/iu,
};

const WORDS: Readonly<Record<string, AgentWords>> = { en: ENGLISH, fr: FRENCH, es: SPANISH };

/** The agent's words in a language (BCP 47); those in English where there are none, with the language that they are in. */
export function agentWords(language: string): { words: AgentWords; language: string } {
  const base = language.split("-")[0]!;
  return Object.hasOwn(WORDS, base)
    ? { words: WORDS[base]!, language }
    : { words: ENGLISH, language: "en-US" };
}

/** Whether an agent can speak a language at all: fixed words, and what keeps its model in bounds, exist in it. */
export function speaksAgent(language: string): boolean {
  return Object.hasOwn(WORDS, language.split("-")[0]!);
}

const ALL = Object.values(WORDS);

/** May stand beside a word for a person, where nothing else is said. */
const BESIDE = [
  ...["please", "now", "hello", "hi", "just", "a", "the", "i", "want", "need", "your"],
  ...["s'il vous plaît", "s'il te plaît", "bonjour", "je", "veux", "un", "une", "votre"],
  ...["por favor", "hola", "quiero", "una", "con", "ya"],
];

/** Something that is answered without a model. In any of our languages: callers do not keep to the flow's. */
export function urgent(said: string): "emergency" | "identity" | "person" | undefined {
  const speech = normaliseSpeech(said).replaceAll("-", " ");
  const says = (text: string, phrases: readonly string[]) =>
    phrases.some((phrase) => saysPhrase(text, phrase));
  if (ALL.some((words) => says(speech, words.emergency))) return "emergency";
  // "Are you a person" asks for none; what is said beside it may.
  const identity = ALL.flatMap((words) => words.identity).sort((a, b) => b.length - a.length);
  const rest = identity.reduce((text, asks) => text.replace(` ${asks} `, " "), ` ${speech} `)
    .trim();
  const alone = ALL.flatMap((words) => words.personAlone);
  if (
    ALL.some((words) => says(rest, words.person)) ||
    alone.some((word) => saysPhrase(rest, word)) && isMadeOf(rest, [...alone, ...BESIDE])
  ) return "person";
  return rest === speech ? undefined : "identity";
}

/** A yes or a no, where nothing but that is said. */
export function yesOrNo(said: string, { yes, no }: AgentWords): "yes" | "no" | undefined {
  const speech = normaliseSpeech(said);
  if (no.some((phrase) => saysPhrase(speech, phrase))) return "no";
  return yes.some((phrase) => saysPhrase(speech, phrase)) ? "yes" : undefined;
}
