// issuer-keys-entry.ts -- Fetches the public keys of an issuer, on Bun or Deno, and prints what went wrong.
//
// Its arguments are the address, and the files of an authority, a certificate and its key, as far as there are any.

import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createTokens } from '../../src/auth/tokens.ts';
import { tokenSettings } from './tokens.ts';

const [JWT_JWKS_URL = '', ...paths] = process.argv.slice(2);
const [ca, cert, key] = paths.map((path) => readFileSync(path, 'utf8'));
const { JWT_SECRET: _, ...settings } = tokenSettings;
const files = {
  ...(ca && { JWT_JWKS_CA: ca }),
  ...(cert && { JWT_JWKS_CERT: cert }),
  ...(key && { JWT_JWKS_KEY: key }),
};
const faults: string[] = [];
await createTokens({ ...settings, JWT_JWKS_URL, ...files }, (fault) => faults.push(String(fault)))?.prepare();
console.log(JSON.stringify(faults));
process.exit(0);
