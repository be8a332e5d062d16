#include "device_factory.hpp"

#ifdef FULMAR_FAULTS
#include <fulmar/backend/fault_device.hpp>
#endif
#include <fulmar/admin/broken.hpp>
#include <fulmar/backend/absent_device.hpp>
#include <fulmar/backend/allowed_paths.hpp>
#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/kept_files.hpp>
#include <fulmar/backend/nbd_device.hpp>
#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>
#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/core/device_paths.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

namespace fulmar::app {

namespace {

// Of devices that are no file themselves: what they read of this machine.
result<void> judge_paths(const core::device_spec& spec) {
    for (const auto path : core::device_paths)
        if (!(spec.*path).empty() && backend::is_confined(spec.*path)) {
            FULMAR_CHECK(backend::allowed_place(spec.*path));
        }
    return {};
}

result<std::unique_ptr<backend::device>> make_nbd(const core::device_spec& spec,
                                                  const backend::file_environment& files,
                                                  const backend::pcie_environment& drives) {
    FULMAR_CHECK(judge_paths(spec));
    return backend::make_nbd_device(
        {.name = spec.name,
         .uri = spec.uri,
         .connections = spec.connections,
         .tls_certificates = spec.tls_certificates,
         .tls_psk_file = spec.tls_psk_file,
         .tls_username = spec.tls_username,
         .size_bytes = spec.size_bytes,
         .block_bytes = spec.block_bytes,
         .write_through = spec.write_cache == core::write_cache_mode::through},
        {.control = files.control,
         .data = drives.data,
         .watch = files.watch,
         .memory = files.memory});
}

result<std::unique_ptr<backend::device>> make_rbd(const core::device_spec& spec,
                                                  const backend::file_environment& files,
                                                  const backend::pcie_environment& drives) {
    FULMAR_CHECK(judge_paths(spec));
    return backend::make_rbd_device({.name = spec.name,
                                     .pool = spec.pool,
                                     .ceph_namespace = spec.ceph_namespace,
                                     .image = spec.image,
                                     .snapshot = spec.snapshot,
                                     .user = spec.user,
                                     .conf = spec.conf,
                                     .keyring = spec.keyring,
                                     .cpus = spec.cpus,
                                     .size_bytes = spec.size_bytes,
                                     .block_bytes = spec.block_bytes,
                                     .command_limit = std::chrono::seconds(spec.timeout_s)},
                                    {.control = files.control,
                                     .data = drives.data,
                                     .watch = files.watch,
                                     .memory = files.memory});
}

}  // namespace

core::device_factory make_device_factory(const backend::file_environment& files,
                                         const backend::pcie_environment& drives) {
    return [files,
            &drives](const core::device_spec& spec) -> result<std::unique_ptr<backend::device>> {
        const bool write_through = spec.write_cache == core::write_cache_mode::through;
        if (spec.type == "ram")
            return backend::make_ram_device(
                {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
        if (spec.type == "null")
            return backend::make_null_device(
                {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
        if (spec.type == admin::absent_type)
            return backend::make_absent_device(
                {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
        if (spec.type == "file") {
            return backend::make_file_device({.name = spec.name,
                                              .path = spec.path,
                                              .size_bytes = spec.size_bytes,
                                              .block_bytes = spec.block_bytes,
                                              .create = spec.create,
                                              .direct = spec.direct,
                                              .write_through = write_through,
                                              .permit = backend::may_back_a_device,
                                              .permit_open = backend::may_back_a_device},
                                             files);
        }
        if (spec.type == "pcie") {
            FULMAR_TRY(const vfio::pci_address address, vfio::parse_pci_address(spec.address));
            return backend::make_pcie_device({.name = spec.name,
                                              .address = address,
                                              .drive_nsid = spec.drive_nsid,
                                              .serial = spec.serial,
                                              .bind = spec.bind,
                                              .detached = spec.detached,
                                              .write_through = write_through},
                                             drives);
        }
        if (spec.type == "nbd") return make_nbd(spec, files, drives);
        if (spec.type == "rbd") return make_rbd(spec, files, drives);
#ifdef FULMAR_FAULTS
        if (spec.type == "fault") {  // told what to do by <folder>/<name>.faults
            const char* const folder = std::getenv("FULMAR_FAULT_FOLDER");
            return backend::make_fault_device(
                {.size_bytes = spec.size_bytes,
                 .block_bytes = spec.block_bytes,
                 .script = folder != nullptr ? fmt::format("{}/{}.faults", folder, spec.name) : ""},
                files.control);
        }
#endif
        return fail(errc::not_supported, fmt::format("there is no device type {}", spec.type),
                    "/type", "use ram, file, pcie, nbd, rbd or null");
    };
}

}  // namespace fulmar::app
