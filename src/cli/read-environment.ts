import { AircherError } from '../core/errors.ts';
import { headerToken } from '../core/token.ts';
import { proxyOptionsOf } from '../http/proxies.ts';
import type { ReleaseEnvironment } from '../release/workspace.ts';
import type { JobEnvironment } from './job-report.ts';
import type { Secrets } from './secret-mask.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * What a subprocess needs to run at all, and what says on which device and how many cores: nothing
 * that is secret, or may have a password in it (proxies, package indexes), nothing that steers us.
 */
const passedOn =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|TERM|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMFILES|VIRTUAL_ENV|CONDA_PREFIX|PYTHON(PATH|HOME)|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|CUDA_VISIBLE_DEVICES|OMP_NUM_THREADS|CI|GNUPGHOME|GPG_TTY|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|PINENTRY_USER_DATA)$/i;

/** The environment as the release steps take it. Throws `usage` where a variable is malformed. */
export function readEnvironment(variables: Variables): ReleaseEnvironment {
  const filled = (name: string): string | undefined => (variables[name] === '' ? undefined : variables[name]);
  return {
    sourceDateEpoch: readEpoch(filled('SOURCE_DATE_EPOCH')),
    githubToken: headerToken({ GITHUB_TOKEN: variables.GITHUB_TOKEN, GH_TOKEN: variables.GH_TOKEN }),
    githubApiUrl: filled('GITHUB_API_URL'),
    githubServerUrl: filled('GITHUB_SERVER_URL'),
    githubSha: filled('GITHUB_SHA'),
    githubRepository: filled('GITHUB_REPOSITORY'),
    githubRefName: filled('GITHUB_REF_NAME'),
    githubRefType: filled('GITHUB_REF_TYPE'),
    hfToken: headerToken({ HF_TOKEN: variables.HF_TOKEN }),
    hfEndpoint: filled('HF_ENDPOINT'),
    signingKey: filled('AIRCHER_SIGNING_KEY'),
    signingPassword: withoutLineEnd(variables.AIRCHER_SIGNING_PASSWORD),
    gpgKey: filled('AIRCHER_GPG_KEY'),
    gpgPassphrase: withoutLineEnd(variables.AIRCHER_GPG_PASSPHRASE),
    gpgPublicKey: filled('AIRCHER_GPG_PUBLIC_KEY'),
    proxy: proxyOptionsOf(variables),
    subprocess: Object.fromEntries(
      Object.entries(variables).filter(
        (entry): entry is [string, string] => entry[1] !== undefined && passedOn.test(entry[0]),
      ),
    ),
  };
}

/** The secrets of the environment, for masking. */
export function readSecrets(variables: Variables): Secrets {
  return {
    githubToken: variables.GITHUB_TOKEN || variables.GH_TOKEN,
    hfToken: variables.HF_TOKEN,
    signingKey: variables.AIRCHER_SIGNING_KEY,
    signingPassword: variables.AIRCHER_SIGNING_PASSWORD,
    gpgKey: variables.AIRCHER_GPG_KEY,
    gpgPassphrase: variables.AIRCHER_GPG_PASSPHRASE,
    bucketSecrets: [variables.AWS_SECRET_ACCESS_KEY, variables.AWS_SESSION_TOKEN],
  };
}

/** What GitHub Actions gives a step to report by. */
export function readJob(variables: Variables): JobEnvironment {
  return {
    inActions: variables.GITHUB_ACTIONS === 'true',
    summaryFile: variables.GITHUB_STEP_SUMMARY || undefined,
    outputFile: variables.GITHUB_OUTPUT || undefined,
  };
}

/** Files and pasted secrets end with a line break, which nobody can type into a password. */
function withoutLineEnd(text: string | undefined): string | undefined {
  return text?.replace(/\r?\n$/, '');
}

function readEpoch(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  // The largest time that the manifest's form can hold is the end of the year 9999.
  if (/^\d+$/.test(text) && seconds <= 253_402_300_799) return seconds;
  throw new AircherError('usage', `SOURCE_DATE_EPOCH is ${JSON.stringify(text)}, not a number of seconds since 1970`);
}
