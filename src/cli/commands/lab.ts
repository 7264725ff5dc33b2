/** `samsa lab`: measuring instruments. Each has its own file in ../lab/, which loads what it measures with only once it runs. */
import { Command } from 'commander'

export function command(): Command {
  return new Command('lab').description('Measure this machine and this data: what follows for a broker on them.')
}
