import { AircherError } from '../core/errors.ts';
import { type GpgContext, type GpgHome, type GpgResult, type GpgStatus, lastWords, runGpg } from './gpg-program.ts';

/**
 * Checks a detached signature with the keys of one gpg home: it must be exactly one good signature
 * over the file's bytes by the key of `fingerprint` (upper case) or a subkey of it, neither expired
 * nor revoked. Errors as `verifyGpgSignature`.
 */
export async function verifyFrom(
  home: GpgHome,
  signature: string,
  fingerprint: string,
  options: GpgContext & { readonly file: string },
): Promise<void> {
  // The signature goes through standard input, the signed file by its path.
  const result = await runGpg(home, ['--status-fd', '1', '--verify', '--', '-', options.file], options, signature);
  const fault = verificationFault(result, fingerprint) ?? (await missingKey(result, home, fingerprint, options));
  if (fault !== undefined) throw fault;
}

/** What GnuPG says of each signature, exactly one of these (doc/DETAILS). */
const signatureVerdicts = new Set(['GOODSIG', 'EXPSIG', 'EXPKEYSIG', 'REVKEYSIG', 'BADSIG', 'ERRSIG']);

function verificationFault(result: GpgResult, fingerprint: string): AircherError | undefined {
  const details = { fingerprint, gpg: lastWords(result) };
  const verdicts = result.statuses.filter((status) => signatureVerdicts.has(status.keyword));
  const [verdict] = verdicts;
  if (verdict === undefined || verdicts.length > 1) {
    const found = verdict === undefined ? 'holds no GPG signature' : 'holds more than one GPG signature';
    return new AircherError('integrity', `the signature file ${found}`, {
      hint: 'Fetch it again; if it stays so, tell the publisher.',
      details,
    });
  }
  if (lacksKey(verdict)) return undefined;
  const faults: Readonly<Record<string, string>> = {
    BADSIG: 'does not match the file',
    ERRSIG: "can't be checked",
    EXPSIG: 'has expired',
    EXPKEYSIG: 'is by a key that has expired',
    REVKEYSIG: 'is by a key that was revoked',
  };
  const fault = faults[verdict.keyword];
  if (fault !== undefined) {
    return new AircherError('integrity', `the GPG signature ${fault}`, {
      hint: 'Do not use the file unless you know why.',
      details,
    });
  }
  const valid = result.statuses.filter((status) => status.keyword === 'VALIDSIG');
  const primary = valid[0]?.arguments[9] ?? valid[0]?.arguments[0];
  if (valid.length !== 1 || primary === undefined || result.exitCode !== 0) {
    return new AircherError('integrity', `the GPG signature can't be checked: ${lastWords(result)}`, { details });
  }
  // Class 00 is a signature over the bytes of a file; others are over text with converted line
  // ends, or over keys.
  if (valid[0]?.arguments[8] !== '00') {
    return new AircherError('integrity', "the GPG signature is not over the file's bytes", { details });
  }
  return primary === fingerprint ? undefined : foreignKey(primary, fingerprint, details);
}

/** Reason 9 of ERRSIG: the public key isn't in this home. */
function lacksKey(status: GpgStatus): boolean {
  return status.keyword === 'ERRSIG' && status.arguments[5] === '9';
}

/**
 * Where the home knows the expected key, a signer it doesn't know is another one; else nothing can
 * be said of the signature.
 */
async function missingKey(
  result: GpgResult,
  home: GpgHome,
  fingerprint: string,
  context: GpgContext,
): Promise<AircherError | undefined> {
  const verdict = result.statuses.find(lacksKey);
  if (verdict === undefined) return undefined;
  const details = { fingerprint, gpg: lastWords(result) };
  const known = await runGpg(home, ['--with-colons', '--list-keys', fingerprint], context);
  if (known.exitCode === 0) return foreignKey(verdict.arguments[6] ?? verdict.arguments[0] ?? '', fingerprint, details);
  return new AircherError('conflict', `no public GPG key ${fingerprint} to check the signature with`, {
    hint: `Set AIRCHER_GPG_PUBLIC_KEY to it, or import it: gpg --import, or gpg --recv-keys ${fingerprint}.`,
    details,
  });
}

function foreignKey(found: string, fingerprint: string, details: Readonly<Record<string, unknown>>): AircherError {
  return new AircherError('integrity', `the GPG signature is by key ${found}, not by ${fingerprint}`, {
    hint: 'If the publisher changed keys, set signing.gpg_fingerprint to the new one.',
    details,
  });
}
