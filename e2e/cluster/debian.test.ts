import { expect, it } from 'vitest';
import { findOnPath } from './binaries.ts';
import { missingDebianPackages } from './debian.ts';

it.runIf(await findOnPath('dpkg-query'))('tells installed packages from missing and unknown ones', async () => {
  expect(await missingDebianPackages(['dpkg', 'no-such-package-anywhere'])).toEqual(['no-such-package-anywhere']);
});
