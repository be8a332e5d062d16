# What comes from Debian, as targets whose headers are SYSTEM includes (our warnings do not apply to
# them). Why each one: docs/dependencies.md. The packages: src/cmake/packages.txt, installed by
# `./dev setup build`.

set(FULMAR_MISSING_HINT "is missing: run ./dev setup build")

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)  # headers only
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)

# A library found by header and name: fulmar_library(<target> <header> <library>...)
function(fulmar_library target header)
  add_library(${target} INTERFACE)
  find_path(${target}_INCLUDE ${header} REQUIRED)
  if(NOT ${target}_INCLUDE STREQUAL "/usr/include")
    target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE})
  endif()
  foreach(name IN LISTS ARGN)
    find_library(${target}_${name} ${name})
    if(NOT ${target}_${name})
      message(FATAL_ERROR "lib${name} ${FULMAR_MISSING_HINT}")
    endif()
    target_link_libraries(${target} INTERFACE ${${target}_${name}})
  endforeach()
endfunction()

fulmar_library(dep_uring liburing.h uring)
fulmar_library(dep_isal isa-l.h isal)
fulmar_library(dep_systemd systemd/sd-daemon.h systemd)
fulmar_library(dep_verbs infiniband/verbs.h ibverbs rdmacm)
# The core library alone, by name: its CMake package insists on the HTTP parts, which Fulmar does
# not use.
fulmar_library(dep_prometheus prometheus/registry.h prometheus-cpp-core)

# Where there is none, fulmard refuses devices on NBD servers, and says so.
set(FULMAR_NBD "AUTO" CACHE STRING "Devices on NBD servers, through libnbd: AUTO, ON or OFF")
find_path(dep_nbd_INCLUDE libnbd.h)
find_library(dep_nbd_nbd nbd)
set(FULMAR_HAS_NBD OFF)
if(FULMAR_NBD STREQUAL "ON" OR (FULMAR_NBD STREQUAL "AUTO" AND dep_nbd_INCLUDE AND dep_nbd_nbd))
  fulmar_library(dep_nbd libnbd.h nbd)
  set(FULMAR_HAS_NBD ON)
endif()

# Likewise of images of Ceph.
set(FULMAR_RBD "AUTO" CACHE STRING "Devices on images of Ceph, through librbd: AUTO, ON or OFF")
find_path(dep_rbd_INCLUDE rbd/librbd.h)
find_library(dep_rbd_rbd rbd)
find_library(dep_rbd_rados rados)
set(FULMAR_HAS_RBD OFF)
if(FULMAR_RBD STREQUAL "ON" OR (FULMAR_RBD STREQUAL "AUTO" AND dep_rbd_INCLUDE AND dep_rbd_rbd
                                AND dep_rbd_rados))
  fulmar_library(dep_rbd rbd/librbd.h rbd rados)
  set(FULMAR_HAS_RBD ON)
endif()

# DPDK: six archives and nothing else. Linked statically, EAL does not load the drivers of the
# plugin folder; the two whole archives register themselves by constructor (the ring operations of
# mempools are one of them).
find_library(FULMAR_RTE_EAL librte_eal.a)
if(NOT FULMAR_RTE_EAL)
  message(FATAL_ERROR "librte_eal.a (libdpdk-dev) ${FULMAR_MISSING_HINT}")
endif()
cmake_path(GET FULMAR_RTE_EAL PARENT_PATH RTE_DIR)
find_path(FULMAR_RTE_INCLUDE rte_eal.h PATH_SUFFIXES dpdk REQUIRED)
find_path(FULMAR_RTE_CONFIG_INCLUDE rte_config.h
          PATH_SUFFIXES dpdk ${CMAKE_LIBRARY_ARCHITECTURE}/dpdk REQUIRED)
add_library(dpdk_min INTERFACE)
target_link_libraries(dpdk_min INTERFACE
  "$<LINK_LIBRARY:WHOLE_ARCHIVE,${RTE_DIR}/librte_eal.a,${RTE_DIR}/librte_mempool_ring.a>"
  ${RTE_DIR}/librte_mempool.a ${RTE_DIR}/librte_ring.a
  ${RTE_DIR}/librte_kvargs.a ${RTE_DIR}/librte_telemetry.a
  bsd numa m dl Threads::Threads)
target_include_directories(dpdk_min SYSTEM INTERFACE
  ${FULMAR_RTE_INCLUDE} ${FULMAR_RTE_CONFIG_INCLUDE})
# DPDK needs SSE4.2, which FULMAR_MARCH (x86-64-v2 or later) has.
target_compile_options(dpdk_min INTERFACE "SHELL:-include rte_config.h")

add_library(dep_boost INTERFACE)
target_link_libraries(dep_boost INTERFACE Boost::headers)
# Asserts of the intrusive containers are programmer errors and stay on in release:
# base/intrusive.hpp maps them.
target_compile_definitions(dep_boost INTERFACE BOOST_ASIO_NO_DEPRECATED)

# Asio allocates with `operator new`, which knows of the memory in reserve (base/memory_reserve.hpp);
# for whoever includes Asio.
add_library(dep_asio INTERFACE)
target_compile_definitions(dep_asio INTERFACE
  BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC BOOST_ASIO_DISABLE_BOOST_ALIGN)

if(FULMAR_TESTS OR FULMAR_FUZZ)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    message(STATUS "GoogleTest is not installed: no tests in this build (./dev setup test)")
    set(FULMAR_TESTS OFF)
  else()
    find_package(Boost 1.81 REQUIRED COMPONENTS context)  # the simulator
  endif()
endif()
