// help.ts -- `--help` of a command: prints what it can do, and does nothing else.

/** Whether the command line asks for help. */
export function wantsHelp(args: readonly string[] = process.argv.slice(2)): boolean {
  return args.includes('--help') || args.includes('-h');
}

/** Ends the process with the text when the command line asks for help. */
export function helpOn(text: string): void {
  if (!wantsHelp()) return;
  console.log(text);
  process.exit(0);
}
