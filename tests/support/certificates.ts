// Certificates for tests, as X.509 (RFC 5280) writes them in DER; elliptic keys of curve P-256.

import { concat } from "@std/bytes/concat.js";

/** A certificate and its key, in PEM form. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
  readonly name: string;
  readonly signingKey: CryptoKey;
}

/**
 * Makes a certificate.
 *
 * @param host The address (IPv4) or name that it is for; absent: an authority's, which signs others.
 * @param issuer Absent: its own.
 */
export async function certify(name: string, host?: string, issuer?: Certified): Promise<Certified> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));

  const ecdsaWithSha256 = der(0x30, oid("2a8648ce3d040302"));
  const extension = host === undefined
    ? der(
      0x30,
      oid("551d13"),
      der(0x01, Uint8Array.of(255)),
      der(0x04, der(0x30, der(0x01, Uint8Array.of(255)))),
    )
    : der(0x30, oid("551d11"), der(0x04, der(0x30, alternativeName(host))));
  const toBeSigned = der(
    0x30,
    der(0xa0, der(0x02, Uint8Array.of(2))),
    der(0x02, Uint8Array.of(1, ...crypto.getRandomValues(new Uint8Array(8)))),
    ecdsaWithSha256,
    distinguished(issuer?.name ?? name),
    der(0x30, der(0x17, text("200101000000Z")), der(0x18, text("21200101000000Z"))),
    distinguished(name),
    spki,
    der(0xa3, der(0x30, extension)),
  );
  const signature = new Uint8Array(
    await crypto.subtle.sign(
      { name: "ECDSA", hash: "SHA-256" },
      issuer?.signingKey ?? keys.privateKey,
      toBeSigned,
    ),
  );
  const signed = der(0x30, unsigned(signature.subarray(0, 32)), unsigned(signature.subarray(32)));
  const cert = der(0x30, toBeSigned, ecdsaWithSha256, der(0x03, Uint8Array.of(0), signed));
  return {
    cert: pem("CERTIFICATE", cert),
    key: pem("PRIVATE KEY", pkcs8),
    name,
    signingKey: keys.privateKey,
  };
}

type Bytes = Uint8Array<ArrayBuffer>;

function der(tag: number, ...parts: Uint8Array[]): Bytes {
  const content = concat(parts);
  const { length } = content;
  const size = length < 128
    ? [length]
    : length < 256
    ? [0x81, length]
    : [0x82, length >> 8, length & 255];
  return concat([Uint8Array.of(tag, ...size), content]);
}

function oid(hex: string): Bytes {
  return der(0x06, Uint8Array.fromHex(hex));
}

function text(ascii: string): Bytes {
  return new TextEncoder().encode(ascii);
}

function distinguished(name: string): Bytes {
  return der(0x30, der(0x31, der(0x30, oid("550403"), der(0x0c, text(name)))));
}

function alternativeName(host: string): Bytes {
  return /^[\d.]+$/.test(host)
    ? der(0x87, Uint8Array.from(host.split("."), Number))
    : der(0x82, text(host));
}

/** A number that is not negative, however its first bit is. */
function unsigned(bytes: Uint8Array): Bytes {
  const start = bytes.findIndex((byte) => byte !== 0);
  const significant = bytes.subarray(start);
  return der(0x02, Uint8Array.of(...(significant[0]! > 127 ? [0] : [])), significant);
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = bytes.toBase64().match(/.{1,64}/g)!;
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
