import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as z from 'zod/mini';
import type { jsonDocuments } from '../../scripts/json-documents.ts';
import type * as api from '../../src/fetch/api.ts';
import type { LockStatus } from '../../src/fetch/lock/check-lock.ts';
import type { LockReport } from '../../src/fetch/lock/lock-models.ts';
import type { ModelInfo } from '../../src/fetch/operations/describe-model.ts';
import type { LinkReport } from '../../src/fetch/operations/link-model.ts';
import type { InstallPlan } from '../../src/fetch/operations/plan-install.ts';
import type { SignReport } from '../../src/release/documents/sign-release.ts';
import type { ProveReport } from '../../src/release/prove/prove-models.ts';
import type { PublishReport } from '../../src/release/publish/publish-release.ts';
import type { ReleaseStatus, ReleasesStatus } from '../../src/release/publish/release-status.ts';
import type { YankReport } from '../../src/release/publish/yank-version.ts';
import type { InitReport } from '../../src/release/setup/init-repository.ts';
import type { ValidateReport } from '../../src/release/validate-release.ts';
import type { VerifyReport } from '../../src/release/verify/verify-release.ts';

/** What commands print and methods give, as the code types it. */
interface Reports {
  init: InitReport;
  prove: ProveReport;
  validate: ValidateReport;
  sign: SignReport;
  publish: PublishReport;
  verify: Omit<VerifyReport, 'tag'> & { tag: string | null };
  yank: { yank: YankReport; publish?: PublishReport; verify?: Reports['verify'] };
  status: ReleasesStatus;
  'status TAG': ReleaseStatus;
  'model install': api.Models<api.InstallReport>;
  'model install --dry-run': api.Models<InstallPlan>;
  'model lock': api.Models<LockReport>;
  'model lock --check': api.Models<LockStatus>;
  'model list': api.Models<api.ListedVersion>;
  'model list --remote': api.Offer;
  'model info': ModelInfo;
  'model path': api.EnsuredModel;
  'model check-updates': api.Models<api.UpdateStatus>;
  'model update': api.Models<api.UpdateReport>;
  'model update --plan': api.Models<api.UpdateStatus>;
  'model verify': api.Verification;
  'model rollback': api.VersionSwitch;
  'model pin': api.VersionSwitch;
  'model unpin': api.UnpinReport;
  'model prune': api.PruneReport;
  'model remove': api.Models<api.RemovalReport>;
  'model mirror': api.CopyReport;
  'model export': api.Models<api.ExportReport> & { directory: string };
  'model link': LinkReport;
  'model check-vectors': api.VectorsReport;
  'model check-license': api.Models<api.LicenseReport>;
  'model doctor': api.DoctorReport;
}

/** What JSON makes of a type: nothing is read-only, and what is undefined is left out. */
type Written<T> = T extends readonly (infer Item)[]
  ? Written<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]-?: Written<Exclude<T[Key], undefined>> }
    : T;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type Document<Name extends keyof Reports> = z.infer<(typeof jsonDocuments)[Name]>;

type Differing = {
  [Name in keyof Reports]: Same<Written<Reports[Name]>, Written<Document<Name>>> extends true ? never : Name;
}[keyof Reports];

test('the types of the code and of the library are those of the schemas', () => {
  // This file doesn't compile where one differs; the message names it.
  const same: [Differing] extends [never] ? true : Differing = true;
  assert.ok(same);
});
