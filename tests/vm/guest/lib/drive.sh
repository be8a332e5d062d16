# Drives that the target has through VFIO: what it says of them, and what its log says of their loss.

DRIVE_SECONDS=40 # for a drive to come up, or to be taken back

drive_says() { rest 200 GET "/v1/devices/$1" | jq -r ".status.$2"; } # DEVICE FIELD
drive_is() { [ "$(drive_says "$1" state)" = "$2" ]; } # DEVICE STATE
await_drive() { wait_for "$1 is $2" $DRIVE_SECONDS drive_is "$1" "$2"; } # DEVICE STATE
namespace_state() { rest 200 GET "/v1/subsystems/$1/namespaces/$2" | jq -r .status.state; } # NQN NSID

# releases: microseconds from the first sign of a loss to close(), one line for each so far.
releases() { sed -n 's/.*drive [^ ]* at [^ ]* is given back after \([0-9]*\) us,.*/\1/p' "$FULMARD_LOG"; }

# median: of the numbers on its input.
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# milliseconds_of COMMAND...: how long it took, in REPLY.
milliseconds_of() {
    local began
    began=$(milliseconds)
    "$@"
    REPLY=$(($(milliseconds) - began))
}

vfio_ready() { modprobe vfio_iommu_type1 && modprobe vfio-pci; }

# kernel_disk ADDRESS: what the kernel's own driver calls the drive's disk, without the path that a multipath disk has in it.
kernel_disk() {
    local folder
    for folder in /sys/bus/pci/devices/"$1"/nvme/nvme*/nvme*n1; do
        [ -d "$folder" ] || return 1
        sed 's/c[0-9]*//' <<< "${folder##*/}"
        return
    done
}
