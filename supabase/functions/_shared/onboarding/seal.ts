/** Encrypts small secrets for the database, bound to their owner. */
export interface Seal {
  close(secret: string, owner: string): Promise<string>;
  /** Rejects when none of the keys fits, or the owner is another. */
  open(sealed: string, owner: string): Promise<string>;
}

const encoder = new TextEncoder();

/**
 * AES-256-GCM under a key that is derived (HKDF) from the project's secret key.
 *
 * @param secretKeys The first one encrypts, any of them decrypts.
 */
export function sealBy(...secretKeys: readonly [string, ...string[]]): Seal {
  let derived: Promise<CryptoKey>[] | undefined;
  const keys = () => derived ??= secretKeys.map(deriveKey);
  return {
    async close(secret, owner) {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const encrypted = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv, additionalData: encoder.encode(owner) },
        await keys()[0]!,
        encoder.encode(secret),
      );
      return `v1.${toBase64(iv)}.${toBase64(new Uint8Array(encrypted))}`;
    },
    async open(sealed, owner) {
      const [version, iv = "", encrypted = ""] = sealed.split(".");
      if (version !== "v1") throw new TypeError("Cannot open a seal of an unknown form");
      const form = {
        name: "AES-GCM",
        iv: fromBase64(iv),
        additionalData: encoder.encode(owner),
      };
      const tries = keys().map(async (key) =>
        await crypto.subtle.decrypt(form, await key, fromBase64(encrypted))
      );
      return new TextDecoder().decode(await Promise.any(tries));
    },
  };
}

async function deriveKey(secretKey: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(secretKey), "HKDF", false, [
    "deriveKey",
  ]);
  const info = encoder.encode("tradeline telephony secrets v1");
  return await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: string) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
