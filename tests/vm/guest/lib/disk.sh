# The disk for file namespaces: ext4 on virtio-scsi, empty at every scenario's begin.
# Its journal commits only when it must, so that a flush in a block trace has a cause that the scenario knows.

FILE_DISK_MOUNT=/mnt/disk

file_disk() {
    local link
    for link in /sys/block/sd*; do
        echo "/dev/${link##*/}"
        return
    done
    return 1
}

file_disk_open() {
    modprobe virtio_scsi && modprobe sd_mod && modprobe ext4
    wait_for "the disk for files" 20 file_disk
    mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$(file_disk)"
    mkdir -p $FILE_DISK_MOUNT
    mount -o noatime,commit=600 "$(file_disk)" $FILE_DISK_MOUNT
}

file_disk_close() {
    ! mountpoint -q $FILE_DISK_MOUNT || umount $FILE_DISK_MOUNT
}

# blocks_of FILE: how much of it is allocated, in KiB.
blocks_of() { echo $(($(stat -c %b "$1") / 2)); }
