import { isIPv6 } from 'node:net'

/** What one customer of a provider has: an IPv4 address, or an IPv6 /56. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length
  const all = [...groups, ...Array<string>(Math.max(missing, 0)).fill('0'), ...rest]
  const bits = all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16).padStart(4, '0'))
  return `${bits.join('').slice(0, 14)}/56`
}

/** What one client stays within while its address changes: an IPv4 /24, or an IPv6 /56. */
export function clientNetworkOf(address: string): string {
  return isIPv6(address) ? networkOf(address) : `${address.split('.').slice(0, 3).join('.')}/24`
}
