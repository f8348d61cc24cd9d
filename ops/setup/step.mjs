import { spawn } from 'node:child_process';

/** Something the person at the keyboard has to solve; shown without a stack. */
export class SetupError extends Error {}

/** One line per finished step. */
export function step(name, text) {
  console.log(`  ${name.padEnd(11)} ${text}`);
}

/**
 * Runs a program to its end with a dot of progress every two seconds.
 * @returns {Promise<{ code: number, output: string }>} exit code (1 when it could not start) and the last 8 KB of what it said
 */
export function runStep(name, text, program, args, options = {}) {
  process.stdout.write(`  ${name.padEnd(11)} ${text} `);
  const startedAt = Date.now();
  const dots = setInterval(() => process.stdout.write('.'), 2_000);
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk) => {
      output = (output + chunk.toString()).slice(-8_192);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const finish = (code) => {
      clearInterval(dots);
      const seconds = Math.round((Date.now() - startedAt) / 1000);
      process.stdout.write(code === 0 ? ` done (${seconds} s)\n` : ` failed (${seconds} s)\n`);
      resolve({ code, output });
    };
    child.once('error', (error) => {
      keep(error.message);
      finish(1);
    });
    child.once('close', (code) => finish(code ?? 1));
  });
}
