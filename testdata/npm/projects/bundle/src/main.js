import 'normalize.css'
import './main.css'
import 'cross-fetch/dist/cross-fetch.js' // its map names a package that it holds inside
import is from '@sindresorhus/is'
import { sha256 } from '@noble/hashes/sha2'
import { bytesToHex, randomBytes } from '@noble/hashes/utils'
import { minutes } from '@made/again' // only hands on what @made/lib has: no byte of its own
import clsx from 'clsx' // a devDependency that ships
import debug from 'debug' // brings an older ms
import isarray from 'isarray' // external: stays an import
import { chunk } from 'lodash-es' // never used, says it has no side effects
import mitt from 'mitt' // never used, does not say so
import ms from 'ms'
import old from 'ms-old'
import settings from './settings.json'
import { shout } from './shout.ts'

const log = debug('made')
const seen = [is(settings), bytesToHex(sha256(randomBytes(8))), minutes(3), ms('2 days'), old('1h'), isarray([])]
log(shout(clsx(seen)))
document.querySelector('button').addEventListener('click', async () => {
  const { licenses } = await import('./lazy.js')
  document.body.innerHTML = licenses(settings.wanted)
})
