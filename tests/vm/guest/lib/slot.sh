# PCIe slots and the drives in them.

SLOT_SECONDS=20 # for a slot to be switched on, once it is being switched on

slot_power() { cat "/sys/bus/pci/slots/$1/power"; }

# slot_power_off SLOT: as an operator's script has to. The kernel refuses (ENODEV, "Already disabled") while it is still
# switching the slot on, which goes on for a while after the drive in it has been found.
slot_power_off() { slot_switches_off "$1" || wait_for "slot $1 can be switched off" $SLOT_SECONDS slot_switches_off "$1"; }
slot_switches_off() { { echo 0 > "/sys/bus/pci/slots/$1/power"; } 2> /dev/null; }

# drive_address SLOT: the PCI address of the drive in it; fails when there is none.
drive_address() {
    local address
    address=$(< "/sys/bus/pci/slots/$1/address").0
    [ -d "/sys/bus/pci/devices/$address" ] && echo "$address"
}

driver_of() { basename "$(readlink "/sys/bus/pci/devices/$1/driver")"; } # ADDRESS

# give_to DRIVER ADDRESS: takes the device away from whatever driver has it. Needed anew after each plugging in.
give_to() {
    local driver=$1 device=/sys/bus/pci/devices/$2
    modprobe "$driver"
    echo "$driver" > "$device/driver_override"
    [ ! -e "$device/driver" ] || echo "$2" > "$device/driver/unbind"
    echo "$2" > /sys/bus/pci/drivers_probe
    expect_equal "driver of $2" "$driver" "$(driver_of "$2")"
}
