// The paths that a device is made of: what is resolved, judged and kept is the same everywhere.
#pragma once

#include <fulmar/core/model.hpp>

#include <array>
#include <string>

namespace fulmar::core {

/// The members of device_spec that are paths of this machine; each may be empty. Any thread.
inline constexpr std::array<std::string device_spec::*, 5> device_paths{
    &device_spec::path, &device_spec::tls_certificates, &device_spec::tls_psk_file,
    &device_spec::conf, &device_spec::keyring};

}  // namespace fulmar::core
