# PCIe slots and the drives in them.

slot_power() { cat "/sys/bus/pci/slots/$1/power"; }
slot_power_off() { echo 0 > "/sys/bus/pci/slots/$1/power"; }

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
