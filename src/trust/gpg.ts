import { AircherError } from '../core/errors.ts';
import { type GpgContext, type GpgHome, type GpgResult, lastWords, runGpg, withOwnHome } from './gpg-program.ts';
import { verifyFrom } from './gpg-verdict.ts';

/** Detached, armoured GPG signatures (`manifest.json.asc`), made and checked by the program gpg. */

export interface GpgSignOptions extends GpgContext {
  /** The file to sign. */
  readonly file: string;
  /**
   * An armoured secret key (AIRCHER_GPG_KEY). Without it the user's keyring is used, and
   * `fingerprint` is needed.
   */
  readonly secretKey?: string | undefined;
  /** 40 hex digits of the primary key (`signing.gpg_fingerprint`). */
  readonly fingerprint?: string | undefined;
  readonly passphrase?: string | undefined;
}

/**
 * Signs a file, and checks the signature before it answers. A given secret key goes through
 * standard input into a keyring that exists for this call only; so does the passphrase. Throws
 * `machine` where gpg is missing, `conflict` where key or passphrase are missing or wrong,
 * `invalid` where the key can't be read or isn't the one of `fingerprint`.
 */
export async function signWithGpg(
  options: GpgSignOptions,
): Promise<{ readonly signature: string; readonly fingerprint: string }> {
  const { secretKey } = options;
  if (secretKey === undefined) {
    if (options.fingerprint === undefined) {
      throw new AircherError('usage', 'no GPG key to sign with', {
        hint: 'Set signing.gpg_fingerprint in release.json, or AIRCHER_GPG_KEY.',
      });
    }
    return signFrom(undefined, options.fingerprint.toUpperCase(), options);
  }
  return withOwnHome(options, async (home) => {
    const fingerprint = await importKey(home, secretKey, options.fingerprint, options, 'AIRCHER_GPG_KEY');
    return signFrom(home, fingerprint, options);
  });
}

/**
 * Looks whether there is a secret key to sign with, without using it: whether the passphrase fits,
 * only signing tells. Throws like `signWithGpg`.
 */
export async function requireGpgKey(
  options: Pick<GpgSignOptions, 'secretKey' | keyof GpgContext> & { readonly fingerprint: string },
): Promise<void> {
  const { secretKey } = options;
  const fingerprint = options.fingerprint.toUpperCase();
  const look = async (home: GpgHome): Promise<void> => {
    const { exitCode } = await runGpg(home, ['--list-secret-keys', '--', fingerprint], options);
    if (exitCode !== 0) throw noSecretKey(fingerprint, home, {});
  };
  if (secretKey === undefined) return look(undefined);
  await withOwnHome(options, async (home) => {
    await importKey(home, secretKey, fingerprint, options, 'AIRCHER_GPG_KEY');
    await look(home);
  });
}

function noSecretKey(fingerprint: string, home: GpgHome, details: Readonly<Record<string, unknown>>): AircherError {
  return new AircherError('conflict', `no secret GPG key ${fingerprint} that can sign`, {
    hint:
      home === undefined
        ? 'Import it into your keyring, or set AIRCHER_GPG_KEY to the armoured secret key.'
        : 'AIRCHER_GPG_KEY must hold the secret key: gpg --armor --export-secret-keys.',
    details,
  });
}

async function signFrom(
  home: GpgHome,
  fingerprint: string,
  options: GpgSignOptions,
): Promise<{ readonly signature: string; readonly fingerprint: string }> {
  const { file, passphrase = '' } = options;
  if (/[\r\n]/.test(passphrase)) {
    throw new AircherError('invalid', 'the GPG passphrase has a line break', {
      hint: 'AIRCHER_GPG_PASSPHRASE is one line; check how it was stored.',
    });
  }
  // Without a passphrase the user's own agent may ask; a keyring of ours has nobody to ask.
  const loopback = passphrase !== '' || home !== undefined;
  const result = await runGpg(
    home,
    [
      ...['--status-fd', '2'],
      ...(loopback ? ['--pinentry-mode', 'loopback', '--passphrase-fd', '0'] : []),
      ...['--local-user', fingerprint, '--armor', '--output', '-', '--detach-sign', '--', file],
    ],
    options,
    loopback ? `${passphrase}\n` : '',
  );
  if (result.exitCode !== 0 || !result.statuses.some((status) => status.keyword === 'SIG_CREATED')) {
    throw signFailure(result, fingerprint, home, passphrase !== '');
  }
  await verifyFrom(home, result.stdout, fingerprint, options);
  return { signature: result.stdout, fingerprint };
}

/** Numbers of libgpg-error, in the low 16 bits of what the status FAILURE says. */
const gpgErrors = {
  badPassphrase: 11,
  noSecretKey: 17,
  unusableSecretKey: 54,
  cancelled: 99,
  noPassphrase: 177,
} as const;

function signFailure(result: GpgResult, fingerprint: string, home: GpgHome, hasPassphrase: boolean): AircherError {
  const failure = result.statuses.find((status) => status.keyword === 'FAILURE' && status.arguments[0] === 'sign');
  const reason = failure === undefined ? undefined : Number(failure.arguments[1]) & 0xffff;
  const details = { fingerprint, gpg: lastWords(result) };
  if (reason === gpgErrors.badPassphrase && hasPassphrase) {
    return new AircherError('conflict', 'wrong passphrase for the GPG key', {
      hint: 'Check AIRCHER_GPG_PASSPHRASE.',
      details,
    });
  }
  const unasked: readonly (number | undefined)[] = [
    gpgErrors.badPassphrase,
    gpgErrors.cancelled,
    gpgErrors.noPassphrase,
  ];
  // A pinentry that found no terminal fails for many reasons, all of which come down to this one.
  if (unasked.includes(reason) || result.statuses.some((status) => status.keyword === 'PINENTRY_LAUNCHED')) {
    return new AircherError('conflict', 'the GPG key needs a passphrase', {
      hint: 'Set AIRCHER_GPG_PASSPHRASE.',
      details,
    });
  }
  if (reason === gpgErrors.unusableSecretKey) {
    return new AircherError('conflict', `the GPG key ${fingerprint} is expired, revoked, or not made for signing`, {
      hint: 'Sign with another key, or extend its expiry, and update signing.gpg_fingerprint.',
      details,
    });
  }
  if (reason === gpgErrors.noSecretKey) return noSecretKey(fingerprint, home, details);
  return new AircherError('machine', `gpg could not sign: ${lastWords(result)}`, { details });
}

export interface GpgVerifyOptions extends GpgContext {
  /** The signed file. */
  readonly file: string;
  /** Text of the detached signature. */
  readonly signature: string;
  /** 40 hex digits of the primary key that must have signed. */
  readonly fingerprint: string;
  /** The armoured public (or secret) key. Without it the user's keyring is used. */
  readonly publicKey?: string | undefined;
}

/**
 * Checks that a detached signature over a file is one good signature by the key of `fingerprint`
 * (or a subkey of it), neither expired nor revoked. Throws `integrity` where it isn't, `invalid`
 * where the public key is of no use, `conflict` where there is none to check with, `machine` where
 * gpg is missing.
 */
export async function verifyGpgSignature(options: GpgVerifyOptions): Promise<void> {
  const { publicKey, signature } = options;
  const fingerprint = options.fingerprint.toUpperCase();
  if (publicKey === undefined) return verifyFrom(undefined, signature, fingerprint, options);
  return withOwnHome(options, async (home) => {
    await importKey(home, publicKey, fingerprint, options, 'The GPG key to check with');
    await verifyFrom(home, signature, fingerprint, options);
  });
}

/**
 * Imports an armoured key, and answers with the fingerprint of its primary key. `name` begins
 * messages.
 */
async function importKey(
  home: string,
  armoured: string,
  expected: string | undefined,
  context: GpgContext,
  name: string,
): Promise<string> {
  const result = await runGpg(home, ['--status-fd', '1', '--import'], context, armoured);
  const imported = new Set(
    result.statuses.filter((status) => status.keyword === 'IMPORT_OK').map((status) => status.arguments[1] ?? ''),
  );
  const [first] = imported;
  if (first === undefined) {
    throw new AircherError('invalid', `${name} is no GPG key that can be imported`, {
      hint: 'It must be armoured text that begins with -----BEGIN PGP.',
      details: { gpg: lastWords(result) },
    });
  }
  const fingerprint = expected?.toUpperCase();
  if (fingerprint !== undefined && !imported.has(fingerprint)) {
    throw new AircherError('invalid', `${name} holds ${first}, not ${fingerprint}`, {
      hint: 'Set signing.gpg_fingerprint in release.json to the fingerprint of the key that signs.',
    });
  }
  if (fingerprint === undefined && imported.size > 1) {
    throw new AircherError('invalid', `${name} holds ${imported.size} keys`, {
      hint: 'Say which of them signs by signing.gpg_fingerprint in release.json.',
    });
  }
  return fingerprint ?? first;
}
