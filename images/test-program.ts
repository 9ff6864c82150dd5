import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ROOT } from './program.ts';

/** A throw-away program for tests, inside the repository so that packages resolve. */
export interface TestProgram extends AsyncDisposable {
  readonly directory: string;
  /** Path of a file of the program. */
  readonly at: (path: string) => string;
}

/** Writes the files (path -> source) into a folder of `build/`, which is removed on disposal. */
export async function testProgram(files: Readonly<Record<string, string>>): Promise<TestProgram> {
  await mkdir(join(ROOT, 'build'), { recursive: true });
  const directory = await mkdtemp(join(ROOT, 'build/test-program-'));
  const at = (path: string) => join(directory, path);
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(at(path)), { recursive: true });
    await writeFile(at(path), source);
  }
  return { directory, at, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}
