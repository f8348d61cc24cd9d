/** The parts of npm's lock files that say what is wanted or installed. */
export interface LockFile {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string;
        readonly dev?: boolean;
        readonly optional?: boolean;
        readonly devOptional?: boolean;
      }
    >
  >;
}

export function installPackages(root: string, command: 'start' | 'test'): Promise<void>;
export function treeMatches(
  lock: LockFile | null,
  installed: LockFile | null,
  withDevelopment: boolean,
): boolean;
export function hasDevelopmentPackages(installed: LockFile | null): boolean;
