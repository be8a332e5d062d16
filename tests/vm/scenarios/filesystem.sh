#!/bin/bash
# ext4 on a file namespace: a tree is copied, read back after a remount, checked; discards give space back.
# shape: memory=2048 disk=4G
# deadline: 240
# needs: target

image=$FILE_DISK_MOUNT/file0.img
mountpoint=/mnt/namespace
tree=/lib/modules/$(uname -r)/kernel/fs

target_start two-namespaces
host_connect 127.0.0.1 --nr-io-queues=2
device=$(block_device 2)
expect "the namespace offers discard" test "$(< "/sys/block/${device##*/}/queue/discard_max_bytes")" -gt 0

step "make a file system and copy a tree"
mkfs.ext4 -q -E lazy_itable_init=0 "$device"
mkdir -p $mountpoint
mount "$device" $mountpoint
cp -a "$tree" $mountpoint/tree
dd if=/dev/zero of=$mountpoint/ballast bs=1M count=64 status=none
umount $mountpoint

step "compare after a remount"
mount "$device" $mountpoint
expect "the copy is the same" diff -r "$tree" $mountpoint/tree

step "discards of a deleted file reach the backing file"
before=$(blocks_of "$image")
rm $mountpoint/ballast
sync -f $mountpoint
fstrim -v $mountpoint
after=$(blocks_of "$image")
say "the backing file shrank from $before to $after KiB"
expect "most of the 64 MiB came back" test $((before - after)) -ge $((60 * 1024))

step "check"
umount $mountpoint
e2fsck -f -n "$device" || fail "e2fsck found damage"

disconnect_all
target_stop
