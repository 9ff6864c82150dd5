import { execa } from 'execa';
import { expect, it } from 'vitest';
import { COMPILER_FLAGS } from './compiler-flags.ts';

const MODULE = new URL('./compiler-flags.ts', import.meta.url).href;

/** What V8 considers inlining where a function of 603 bytes of bytecode is called, after `setUp`. */
async function candidates(setUp: string): Promise<number> {
  const source = `
    import { setCompilerFlags } from ${JSON.stringify(MODULE)};
    ${setUp}
    const terms = Array.from({ length: 40 }, (_, term) => \`sum = (sum ^ (x + \${term})) * \${term + 3} | 0;\`);
    const large = new Function('x', \`let sum = 0; \${terms.join('')} return sum;\`);
    const caller = (x) => large(x) + 1;
    for (let x = 0, sum = 0; x < 200_000; x += 1) sum += caller(x);`;
  const flags = ['--trace-turbo-inlining', '--no-concurrent-recompilation', '--input-type=module'];
  const { stdout } = await execa(process.execPath, [...flags, '-e', source], { timeout: 15_000 });
  return stdout.match(/^- candidate: /gm)?.length ?? 0;
}

it('are known to the V8 of this Node', async () => {
  // Node refuses a flag on its command line that V8 does not know; v8.setFlagsFromString says nothing.
  const { exitCode } = await execa(process.execPath, [...COMPILER_FLAGS, '-e', ''], { timeout: 15_000 });
  expect(exitCode).toBe(0);
});

it('has V8 inline functions beyond its own limit', async () => {
  expect(await candidates('')).toBe(0);
  expect(await candidates('setCompilerFlags();')).toBeGreaterThan(0);
});
