/**
 * The environment variables that the executables read, for docs/commands.md. A test compares the
 * names with the code.
 */
export interface EnvironmentVariable {
  readonly name: string;
  /** Which executables read it; `tests` for those that enlarge or extend the tests. */
  readonly readBy: readonly ('aircher-models' | 'aircher')[];
  readonly meaning: string;
}

const maintainer = ['aircher-models'] as const;
const client = ['aircher'] as const;
const both = ['aircher-models', 'aircher'] as const;

export const environmentVariables: readonly EnvironmentVariable[] = [
  { name: 'GITHUB_TOKEN', readBy: both, meaning: "sent to GitHub's API only; `GH_TOKEN` where it is not set" },
  { name: 'GH_TOKEN', readBy: both, meaning: 'as `GITHUB_TOKEN`' },
  {
    name: 'GITHUB_API_URL',
    readBy: both,
    meaning:
      "base of GitHub's API; for aircher-models that of the server that GITHUB_SERVER_URL names, and used for no other",
  },
  {
    name: 'GITHUB_SERVER_URL',
    readBy: both,
    meaning:
      "GitHub's web address. It redirects our own requests, and the client's for URLs of that kind; never what a manifest says",
  },
  {
    name: 'HF_TOKEN',
    readBy: both,
    meaning: "sent to the Hub's endpoint only; the client takes `$HF_HOME/token` where it is not set",
  },
  {
    name: 'HF_ENDPOINT',
    readBy: both,
    meaning: "the Hub's address; it redirects requests as `GITHUB_SERVER_URL` does",
  },
  {
    name: 'SOURCE_DATE_EPOCH',
    readBy: maintainer,
    meaning: "seconds since 1970: the manifest's `generated_at`, and the time of files in archives",
  },
  { name: 'AIRCHER_SIGNING_KEY', readBy: maintainer, meaning: 'minisign secret key: a path, or the text of the key' },
  { name: 'AIRCHER_SIGNING_PASSWORD', readBy: maintainer, meaning: 'its password; also for `keygen`' },
  {
    name: 'AIRCHER_GPG_KEY',
    readBy: maintainer,
    meaning: 'armoured GPG secret key; without it, the keyring of the user',
  },
  { name: 'AIRCHER_GPG_PASSPHRASE', readBy: maintainer, meaning: 'its passphrase' },
  {
    name: 'AIRCHER_GPG_PUBLIC_KEY',
    readBy: maintainer,
    meaning:
      'armoured GPG public key that signatures are checked with; without it, that of `AIRCHER_GPG_KEY`, or the keyring',
  },
  {
    name: 'AWS_SECRET_ACCESS_KEY',
    readBy: maintainer,
    meaning:
      "for a mirror's bucket, with `AWS_ACCESS_KEY_ID`; AWS's SDK also looks for everything else that its tools read, such as `AWS_PROFILE`",
  },
  { name: 'AWS_SESSION_TOKEN', readBy: maintainer, meaning: 'beside it, where the keys are those of a session' },
  { name: 'GITHUB_SHA', readBy: maintainer, meaning: 'set by GitHub Actions: the commit that the tag will name' },
  { name: 'GITHUB_REPOSITORY', readBy: maintainer, meaning: 'set by GitHub Actions: the repository of `GITHUB_SHA`' },
  {
    name: 'GITHUB_REF_NAME',
    readBy: maintainer,
    meaning: 'set by GitHub Actions: a tag that started the job must be that of release.json',
  },
  { name: 'GITHUB_REF_TYPE', readBy: maintainer, meaning: 'set by GitHub Actions: `tag` or `branch`' },
  { name: 'GITHUB_ACTIONS', readBy: maintainer, meaning: 'set by GitHub Actions: problems become annotations' },
  {
    name: 'GITHUB_STEP_SUMMARY',
    readBy: maintainer,
    meaning: 'set by GitHub Actions: file for the summary of the job',
  },
  {
    name: 'GITHUB_OUTPUT',
    readBy: maintainer,
    meaning: 'set by GitHub Actions: file for `tag`, `pack`, `matrix`, `carried` (plan) and `tag`, `state` (publish)',
  },
  { name: 'AIRCHER_CACHE_DIR', readBy: client, meaning: "the cache's directory" },
  {
    name: 'AIRCHER_SYSTEM_CACHE',
    readBy: client,
    meaning: 'a cache that users share and only read; it is looked into first',
  },
  {
    name: 'XDG_CACHE_HOME',
    readBy: client,
    meaning: 'the cache is `$XDG_CACHE_HOME/<namespace>`; a relative path is ignored',
  },
  { name: 'LOCALAPPDATA', readBy: client, meaning: 'on Windows the cache is `%LOCALAPPDATA%\\<namespace>`' },
  { name: 'AIRCHER_MANIFEST_URL', readBy: client, meaning: 'manifest sources, separated by whitespace' },
  {
    name: 'AIRCHER_PUBLIC_KEY',
    readBy: client,
    meaning: 'minisign public keys (text or files), separated by whitespace',
  },
  {
    name: 'AIRCHER_OFFLINE',
    readBy: client,
    meaning: 'never use the network, unless it is empty, `0`, `false` or `no`',
  },
  { name: 'HF_HUB_OFFLINE', readBy: client, meaning: 'the same, where it is `1`, `on`, `yes` or `true`' },
  {
    name: 'AIRCHER_MIRROR_TOKEN',
    readBy: client,
    meaning: 'a bearer token, sent to the hosts of the manifest sources only',
  },
  { name: 'NETRC', readBy: client, meaning: 'file with logins and passwords by host, instead of `~/.netrc`' },
  {
    name: 'AIRCHER_ALLOW_HTTP',
    readBy: client,
    meaning: 'allow plain `http:` to other machines; without it only to this one',
  },
  {
    name: 'HTTPS_PROXY',
    readBy: both,
    meaning: 'proxy for `https:` URLs: `http://HOST:PORT`, or `https://…` by TLS; lower case wins, here and below',
  },
  { name: 'HTTP_PROXY', readBy: both, meaning: 'proxy for `http:` URLs' },
  { name: 'ALL_PROXY', readBy: both, meaning: 'proxy for URLs whose scheme has none of its own' },
  {
    name: 'NO_PROXY',
    readBy: both,
    meaning:
      'what is asked without a proxy: names, `.suffixes`, addresses, networks (`10.0.0.0/8`), each with a `:port` or without; `*`',
  },
  {
    name: 'HF_HUB_CACHE',
    readBy: client,
    meaning: 'a Hugging Face cache, looked into for identical files; `link` puts models there',
  },
  { name: 'HUGGINGFACE_HUB_CACHE', readBy: client, meaning: 'as `HF_HUB_CACHE`, by its older name' },
  { name: 'HF_HOME', readBy: client, meaning: 'as above: `$HF_HOME/hub`' },
  { name: 'HOME', readBy: client, meaning: 'as above: `~/.cache/huggingface/hub`' },
  { name: 'USERPROFILE', readBy: client, meaning: 'as `HOME`, on Windows' },
];

/** Variables that Node itself obeys and that our messages or docs name. */
export const nodeVariables: readonly EnvironmentVariable[] = [
  {
    name: 'NODE_EXTRA_CA_CERTS',
    readBy: both,
    meaning: 'read by Node: a PEM file with more root certificates, for proxies that open TLS connections',
  },
];
