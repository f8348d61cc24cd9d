import { spawnSync } from 'node:child_process';
import { runStep, SetupError } from './step.mjs';

/**
 * Installs through the machine's package manager: apt-get as root or by password-less sudo, else Homebrew. `apt` lists
 * alternatives, the first that installs wins. A service that a package starts by itself is not used by Millrace.
 * @throws SetupError with `otherwise` when there is no such manager, or with the manager's words when it fails
 */
export async function installSystemPackages({ what, apt, brew, otherwise }) {
  const sudo = aptPrefix();
  if (sudo !== null) {
    await aptInstall(what, apt, sudo);
  } else if (runs('brew', ['--version'])) {
    const run = await runStep('system', `brew install ${brew.join(' ')}`, 'brew', ['install', ...brew]);
    if (run.code !== 0) throw new SetupError(`setup: brew could not install ${what}:\n${run.output.trim()}`);
  } else {
    throw new SetupError(`setup: ${otherwise}`);
  }
}

async function aptInstall(what, alternatives, sudo) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (text, ...args) => {
    const [program, ...rest] = [...sudo, 'apt-get', ...args];
    return runStep('system', text, program, rest, { env });
  };
  await apt('apt-get update', 'update', '-qq');
  let said = '';
  for (const names of alternatives) {
    const run = await apt(
      `apt-get install ${names.join(' ')}`,
      'install',
      '-y',
      '--no-install-recommends',
      ...names,
    );
    if (run.code === 0) return;
    said = run.output.trim();
  }
  throw new SetupError(`setup: apt-get could not install ${what}:\n${said}`);
}

/** How apt-get is run: [] as root, ['sudo', '-n'] where sudo asks no password, null without either. */
function aptPrefix() {
  if (!runs('apt-get', ['--version'])) return null;
  if (process.getuid?.() === 0) return [];
  return runs('sudo', ['-n', 'true']) ? ['sudo', '-n'] : null;
}

function runs(program, args) {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}
