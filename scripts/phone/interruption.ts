import type { Params } from "./signer.ts";
import type { Method } from "./twiml.ts";

/** A call webhook: the call waits for the TwiML that it is answered. */
export interface DocumentRequest {
  readonly url: string;
  readonly method: Method;
  /** Beside those of every call webhook. */
  readonly params: Params;
}

/** Where a document comes from: it is asked for, or was given with a REST request. */
export type DocumentSource = DocumentRequest | { readonly twiml: string };

/** Ends all work in progress on a call, from outside. */
export class Interruption extends Error {
  override name = "Interruption";
}

/** Ends the call: the person hangs up, or the app does by REST. */
export class CallerHungUp extends Interruption {
  override name = "CallerHungUp";

  constructor(readonly by: "caller" | "app") {
    super(by === "app" ? "The call was ended by REST" : "The caller hung up");
  }
}

/** The call goes on with another document, by REST. */
export class Redirected extends Interruption {
  override name = "Redirected";

  constructor(readonly to: DocumentSource) {
    super("The call was redirected by REST");
  }
}
