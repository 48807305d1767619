// help.ts -- `--help` of a command: prints what it can do, and does nothing else.

/** Ends the process with the text when the command line asks for help. */
export function helpOn(text: string): void {
  if (!process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) return;
  console.log(text);
  process.exit(0);
}
